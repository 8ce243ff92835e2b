"""Malformed input: exactly one sentence, which names the wrong part, and exit code 2 (USE-08)."""

import pathlib
import re

import pytest

HERE = pathlib.Path(__file__).resolve().parent
DOCS = HERE.parents[1] / "docs"

# The arguments, and what the sentence must name.
WRONG = [
    ([], "no name"),
    (["connect"], "connect needs a target"),
    (["connect", "a.test:1", "b.test:2"], '"b.test:2"'),
    (["connect", "a.test"], "port"),
    (["connect", "a.test:"], "port"),
    (["connect", "a.test:0"], '"0"'),
    (["connect", "a.test:65536"], '"65536"'),
    (["connect", "a.test:http"], '"http"'),
    (["connect", "a.test:-1"], '"-1"'),
    (["connect", ":443"], "host is empty"),
    (["connect", "[::1:443"], '"["'),
    (["connect", "[::1]443"], '"443"'),
    (["connect", "[::1]:"], "port"),
    (["connect", "[nonsense]:443"], "nonsense"),
    (["connect", "::1:443"], "IPv6"),
    (["connect", ""], "empty"),
    (["connect", "a..test:443"], "between two dots"),
    (["connect", "x" * 64 + ".test:443"], "63"),
    (["connect", "http://a.test"], '"http"'),
    (["connect", "https://"], "host is empty"),
    (["connect", "https://a.test/path"], "path"),
    (["connect", "https://user@a.test"], "user"),
    (["connect", "_imap._tcp.a.test:143"], "the port is in the SRV record"),
    (["_imap._udp.a.test:143"], "the port is in the SRV record"),
    (["connect", "https://_imap._tcp.a.test"], "service"),
    (["resolve", ""], "empty"),
    (["a..test"], "between two dots"),
    (["a b.test"], "space"),
    (["a.test:99999"], '"99999"'),
    (["a\x1b[31m.test"], "control character"),
    (["x" * 300], "63"),
    (["@", "a.test"], "@ needs a server"),
    (["@dns.test", "a.test"], '"dns.test"'),
    (["@192.0.2.1:0", "a.test"], '"0"'),
    (["@192.0.2.1:99999", "a.test"], '"99999"'),
    (["@[::1", "a.test"], '"["'),
    (["@192.0.2.1", "@192.0.2.300", "a.test"], "192.0.2.300"),
    (["--server", "", "a.test"], "server is empty"),
    (["--server=", "a.test"], "server is empty"),
    (["--server", "gopher://192.0.2.1", "a.test"], '"gopher"'),
    (["--server", "quic://192.0.2.1", "a.test"], "quic://"),
    (["--server"], "--server"),
    (["--timeout"], "--timeout"),
    (["--timeout", "soon", "a.test"], '--timeout "soon"'),
    (["--timeout", "-1", "a.test"], '--timeout "-1"'),
    (["--timeout", "0", "a.test"], '--timeout "0"'),
    (["--timeout", "5m", "a.test"], '--timeout "5m"'),
    (["--timeout", "1e3", "a.test"], '--timeout "1e3"'),
    (["--timeout", "nan", "a.test"], '--timeout "nan"'),
    (["--timeout", "inf", "a.test"], '--timeout "inf"'),
    (["--timeout", "1 s", "a.test"], '--timeout "1 s"'),
    (["--timeout=", "a.test"], '--timeout ""'),
    (["--attempt-delay", "x", "connect", "a.test:1"], '--attempt-delay "x"'),
    (["--attempt-delay", "5", "a.test"], "--attempt-delay is for connect"),
    (["--https", "a.test"], "--https is for connect"),
    (["--no-https", "a.test"], "--no-https is for connect"),
    (["--https", "--no-https", "connect", "a.test:1"], "--https and --no-https"),
    (["--source", "192.0.2.1", "a.test"], "--source is for connect"),
    (["--interface", "lo", "a.test"], "--interface is for connect"),
    (["--source", "here", "connect", "a.test:1"], '--source "here"'),
    (["--interface", "nope0", "connect", "a.test:1"], '--interface "nope0"'),
    (["--policy", "best", "a.test"],
     '--policy "best" is not balanced, fastest, round_robin, random, hash or in_order'),
    (["--mode", "mine", "a.test"], '--mode "mine" is not hybrid, client or server'),
    (["--key", "", "connect", "a.test:1"], "--key needs a value"),
    (["explain"], "explain needs a target"),
    (["probe"], "probe needs a target"),
    (["explain", "a.test"], "port"),
    (["probe", "a.test"], "port"),
    (["explain", "a.test:1", "b.test:2"], 'explain takes one target, and "b.test:2" is a second one'),
    (["probe", "a.test:1", "b.test:2"], 'probe takes one target, and "b.test:2" is a second one'),
    (["health", "a.test:1"], 'health takes no target, and "a.test:1" is one'),
    (["health", "--no-state"], "health shows what is kept, and --no-state keeps nothing"),
    (["health", "--count", "2"], "--count is for resolve, connect, explain and probe, not for health"),
    (["explain", "a.test:1", "--count", "2", "--parallel", "2"],
     "--parallel is for resolve, connect and probe, not for explain"),
    (["connect", "a.test:1", "--learn-weights"], "--learn-weights needs --mode client"),
    (["connect", "a.test:1", "--learn-weights", "--mode", "hybrid"], "--learn-weights needs --mode client"),
    (["explain", "a.test:1", "--attempt-delay", "50"], "--attempt-delay is for connect, not for explain"),
    (["connect", "a.test:1", "--watch"], "--watch is for probe, not for connect"),
    (["--watch", "a.test"], "--watch is for probe, not for resolve"),
    (["probe", "a.test:1", "--watch", "--count", "2"], "--watch and --count exclude each other"),
    (["probe", "a.test:1", "--watch", "--parallel", "2"], "--parallel needs --count"),
    (["probe", "a.test:1", "--clear"], "--clear is for health, not for probe"),
    (["--clear", "a.test"], "--clear is for health, not for resolve"),
    (["connect", "a.test:1", "--interval", "1s"], "--interval needs --count or --watch"),
    (["connect", "a.test:1", "--count", "2", "--interval", "often"], '--interval "often"'),
    (["connect", "a.test:1", "--state", "f", "--no-state"], "--state and --no-state exclude each other"),
    (["connect", "a.test:1", "--state", ""], "--state needs a value"),
    (["a.test", "--tls"], "--tls is for connect, not for resolve"),
    (["connect", "a.test:1", "--alpn", "h2"], "--alpn needs --tls"),
    (["connect", "a.test:1", "--tls", "--no-verify", "--pin", "x"], "--no-verify and --pin exclude each other"),
    (["connect", "a.test:1", "--tls", "--pin", "x"], 'tls.pins: "x"'),
    (["connect", "a.test:1", "--tls", "--alpn", "h2,"], "tls.alpn"),
    (["connect", "a.test:1", "--tls", "--tls-name", "no such name"], 'tls.name "no such name"'),
    (["connect", "a.test:1", "--tls", "--ca-file", "/nonexistent"], '"/nonexistent"'),
    (["health", "--https"], "--https is for connect, explain and probe, not for health"),
    (["--count", "0", "a.test"], '--count "0"'),
    (["--count", "many", "a.test"], '--count "many"'),
    (["--count", "99999999999999999999", "a.test"], '--count "99999999999999999999"'),
    (["--parallel", "2", "a.test"], "--parallel needs --count"),
    (["--parallel", "0", "--count", "2", "a.test"], '--parallel "0"'),
    (["--format", "xml", "a.test"], '--format "xml" is not table, short or json'),
    (["--color", "pink", "a.test"], '--color "pink"'),
    (["--subnet", "192.0.2.0/99", "a.test"], '--subnet "192.0.2.0/99"'),
    (["--subnet", "here", "a.test"], '--subnet "here"'),
    (["--subnet", "", "a.test"], "--subnet needs a value"),
    (["--nat64", "64:ff9b::/97", "a.test"], '--nat64 "64:ff9b::/97"'),
    (["--nat64", "192.0.2.0/32", "a.test"], '--nat64 "192.0.2.0/32"'),
    (["--nat64", "", "a.test"], "--nat64 needs a value"),
    (["--choice", "best", "a.test"], '--choice "best" is not ordered, fastest or race'),
    (["--domain-server", "corp.test", "a.test"], '--domain-server "corp.test" is not DOMAIN=SERVER'),
    (["--domain-server", "corp.test=dns", "a.test"], '"dns" is not an IP address'),
    (["--domain-server", "corp.local=192.0.2.1", "a.test"], 'domain_servers "corp.local" is never asked for'),
    (["--bootstrap", "tls://192.0.2.1", "a.test"], 'bootstrap server "tls://192.0.2.1:853" has TLS'),
    (["--private-ok", "home.test", "a.test"], "--private-ok needs --no-private"),
    (["--no-private", "--private-ok", "a..b", "a.test"], '"a..b" is not a domain name'),
    (["@quic://192.0.2.1", "a.test"], "QUIC"),
    (["@tls://192.0.2.1#", "a.test"], "no name follows"),
    (["-4", "-6", "a.test"], "-4 and -6"),
    (["--stale", "--no-cache", "a.test"], "--stale and --no-cache"),
    (["-5", "a.test"], "unknown option -5"),
    (["--nope", "a.test"], "unknown option --nope"),
    (["--nope=1", "a.test"], "unknown option --nope"),
    (["--trace=much", "a.test"], "--trace takes no value"),
]


@pytest.mark.rule("USE-08")
@pytest.mark.parametrize("arguments, named", WRONG, ids=lambda value: repr(value)[:40])
def test_one_sentence_names_the_wrong_part(lbresolve, arguments, named):
    ran = lbresolve.run(*arguments)
    assert ran.code == 2
    assert ran.out == ""
    assert ran.err.startswith("lbresolve: ") and ran.err.endswith("\n") and ran.err.count("\n") == 1
    assert named in ran.err
    assert len(ran.err) < 320


def test_wrong_flags_point_to_the_help(lbresolve):
    for arguments in ([], ["--nope"], ["--timeout"], ["--format", "xml", "a.test"]):
        assert lbresolve.run(*arguments).err.endswith("; try lbresolve --help\n")


def flags_of(text):
    return set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]+", text)) | set(re.findall(r"(?<![\w-])-[46hV](?!\w)", text))


def test_every_flag_of_the_help_works_and_is_documented(lbresolve):
    help_text = lbresolve.run("--help").out
    flags = flags_of(help_text)
    assert {"--server", "--timeout", "--format", "-4", "-6"} <= flags
    for flag in flags:
        # A known flag complains of anything but being unknown; most of them, of its missing value.
        assert "unknown option" not in lbresolve.run(flag).err, flag
    reference = (DOCS / "cli.md").read_text()
    manual = (DOCS / "lbresolve.1").read_text().replace("\\-", "-")
    assert flags <= flags_of(reference), "docs/cli.md leaves out some"
    assert flags <= flags_of(manual), "docs/lbresolve.1 leaves out some"


def test_version(lbresolve):
    assert re.fullmatch(r"lbresolve \d+\.\d+\.\d+\n", lbresolve.run("--version").out)


def test_help_fits_100_columns_and_has_examples(lbresolve):
    text = lbresolve.run("--help").out
    assert max(map(len, text.splitlines())) <= 100
    assert "Examples:" in text
