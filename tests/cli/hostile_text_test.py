"""SEC-12: text from the network (names, EDE, TXT) cannot inject terminal escapes through the CLI."""

import json
import unicodedata

import pytest
from command import unpainted
from dns_server import Reply, a, cname, servfail

EVIL = {
    "escape": b"\x1b[35mpurple\x1b[m",   # not a colour of our own, which the tests take out
    "title": b"\x1b]0;owned\x07",
    "c1_utf8": "\u009b31m".encode(),
    "c1_raw": b"\x9b31m",
    "bidi": "abc\u202etxt.exe\u2066".encode(),
    "newline": b"one\ntwo\r\x0bthree\tfour",
    "delete": b"a\x7f\x08b",
    "not_utf8": b"\xff\xfe\xc0\xaf\xed\xa0\x80\xf5",
    "zero_width": "a\u200bb\ufeffc\u00add".encode(),
    "line_separator": "a\u2028b\u2029c".encode(),
    "combining": ("e" + "\u0301" * 30).encode(),
    "tags": "\U000e0041\U000e0042".encode(),
    "long": b"\x1b[2J" * 60,
}


def check_safe(raw):
    """No byte below 0x20 but newline, no 0x7f; no C1, no format character, no line or paragraph separator."""
    text = raw.decode("utf-8")   # and well-formed
    for character in text:
        if character == "\n":
            continue
        assert unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp", "Mn", "Me"), hex(ord(character))
    return text


def everywhere(lbresolve, *arguments):
    """Into a pipe, on terminals of three kinds, as JSON: everything that is written, without our own colours."""
    yield lbresolve.run(*arguments)
    for options in ({}, {"columns": 40}, {"columns": 200, "LANG": "C"}):
        yield lbresolve.run_tty(*arguments, **options)
    yield lbresolve.run_tty(*arguments, "--color", "never")
    yield lbresolve.run_tty(*arguments, "--format", "json")
    yield lbresolve.run(*arguments, "--format", "short")


@pytest.mark.rule("SEC-12")
@pytest.mark.parametrize("evil", EVIL.values(), ids=EVIL.keys())
def test_extended_dns_errors(lbresolve, dns_server, evil):
    dns_server.answers[("evil.test", "*")] = servfail(ede=[(0, evil), (6, evil)])
    for ran in everywhere(lbresolve, "resolve", "evil.test", "--trace", f"@{dns_server.address}"):
        assert ran.code == 6
        check_safe(unpainted(ran.out).encode())
        check_safe(ran.err.encode())
    for ran in everywhere(lbresolve, "connect", "evil.test:443", f"@{dns_server.address}"):
        check_safe(unpainted(ran.out).encode())
        check_safe(ran.err.encode())


@pytest.mark.rule("SEC-12")
@pytest.mark.parametrize("evil", EVIL.values(), ids=EVIL.keys())
def test_names(lbresolve, dns_server, evil):
    label = evil[:60]
    dns_server.answers[("evil.test", "A")] = Reply([cname([label, b"test"]), a("192.0.2.1", name=[label, b"test"])])
    seen = []
    for ran in everywhere(lbresolve, "resolve", "evil.test", "--trace", f"@{dns_server.address}"):
        seen.append(check_safe(unpainted(ran.out).encode()))
        check_safe(ran.err.encode())
    assert "192.0.2.1" in seen[0] and "canonical name" in seen[0], "the name was taken, and is shown"


@pytest.mark.rule("SEC-12")
def test_what_was_sent_can_still_be_read(lbresolve, dns_server):
    dns_server.answers[("evil.test", "*")] = servfail(ede=[(22, "d\u00e9j\u00e0 \x1b[31m\u202e".encode() + b"\xff")])
    ran = lbresolve.run_tty("resolve", "evil.test", "--trace", f"@{dns_server.address}", columns=200)
    assert "No Reachable Authority: d\u00e9j\u00e0 \\x1b[31m\\u{202e}\\xff" in ran.out
    ascii_only = lbresolve.run("resolve", "evil.test", "--trace", f"@{dns_server.address}", LANG="C")
    assert "d\\u{e9}j\\u{e0} \\x1b[31m\\u{202e}\\xff" in ascii_only.out


@pytest.mark.rule("SEC-12")
def test_json_is_ascii_and_valid_whatever_was_sent(lbresolve, dns_server):
    every = b"".join(EVIL.values())[:200]
    dns_server.answers[("evil.test", "*")] = servfail(ede=[(22, every)])
    ran = lbresolve.run("resolve", "evil.test", "--format", "json", f"@{dns_server.address}")
    assert ran.raw.isascii() and b"\x1b" not in ran.raw and b"\x7f" not in ran.raw
    text = json.loads(ran.out)["trace"]["queries"][0]["extended_error"]["text"]
    assert "\x1b[35mpurple" in text and "\ufffd" in text, "programs get what was sent; what is not UTF-8 is replaced"


@pytest.mark.rule("SEC-12")
@pytest.mark.parametrize("arguments", [["x\x1b[31m.test"], ["--nope\x1b[31m"], ["--timeout", "\x1b]0;x\x07", "a.test"],
                                       ["@\u202e192.0.2.1", "a.test"], ["connect", "a.test:\x9b1"],
                                       ["a.test", "--policy", b"\xff\xfe\x1b"], ["--subnet", "\x1b[2J", "a.test"]])
def test_what_was_typed(lbresolve, arguments):
    import subprocess

    done = subprocess.run([*lbresolve.arguments(), *arguments], capture_output=True, check=False)
    assert done.returncode in (2, 6)
    assert done.stderr.isascii() and b"\x1b" not in done.stderr and b"\x07" not in done.stderr
    check_safe(done.stdout)
    assert done.stderr.count(b"\n") == 1
