"""explain and probe: what they show, as JSON, as a table and short, and how they end."""

import json
import signal
import subprocess
import time

import pytest
from backends import ALSO_GOOD, ALSO_REFUSING, GOOD, REFUSING, SILENT
from command import unpainted
from dns_server import a, cname, srv
from hostile_text_test import EVIL, check_safe
from json_test import ATTEMPT, ENDPOINT, check_shape

EXPLANATION = ["mode", "policy", "behaviour", "panic", "candidates"]
CANDIDATE = [*ENDPOINT, "priority", "weight", "frequency", "state", "srtt_ms", "successes_30s", "failures_30s", "in_flight",
             "cost_ms", "share", "why"]


@pytest.fixture
def four(dns_server, backends):
    """A name with two addresses that work, one that refuses and one that is silent."""
    dns_server.answers[("www.test", "A")] = [a(GOOD), a(REFUSING), a(SILENT), a(ALSO_GOOD)]
    return [f"www.test:{backends.port}", f"@{dns_server.address}", "--no-probes"]


# --- explain --------------------------------------------------------------------------------------------------------


@pytest.mark.rule("USE-07", "SEL-13")
def test_an_explanation_as_json_gives_the_reason_of_every_place(lbresolve, remembers, four):
    lbresolve.run("probe", *four)
    ran = lbresolve.run("explain", *four, "--format", "json")
    assert ran.code == 0 and ran.err == "" and len(ran.lines) == 1
    told = json.loads(ran.out)
    check_shape(told, also_without_unit=["share", "successes_30s", "failures_30s"])
    assert told["kind"] == "explain" and told["target"] == four[0]
    result = told["result"]
    assert list(result) == EXPLANATION
    assert (result["mode"], result["policy"], result["panic"]) == ("hybrid", "balanced", False)
    for candidate in result["candidates"]:
        assert list(candidate) == CANDIDATE
        assert candidate["why"] and candidate["priority"] == 0 and candidate["weight"] is None
        assert 0 <= candidate["share"] <= 1 and candidate["cost_ms"] > 0
    working, failing = result["candidates"][:2], result["candidates"][2:]
    assert {c["address"] for c in working} == {GOOD, ALSO_GOOD}
    for candidate in working:
        assert (candidate["state"], candidate["failures_30s"], candidate["successes_30s"]) == ("healthy", 0, 1)
        assert candidate["srtt_ms"] > 0
    assert sum(c["share"] for c in working) == pytest.approx(1, abs=0.001)
    assert {c["address"] for c in failing} == {REFUSING, SILENT}
    for candidate in failing:
        assert (candidate["state"], candidate["share"], candidate["failures_30s"]) == ("suspect", 0, 1)
        assert "failed" in candidate["why"]


@pytest.mark.rule("SEL-13")
@pytest.mark.parametrize("flags, mode, policy", [
    ([], "hybrid", "balanced"), (["--policy", "fastest"], "hybrid", "fastest"),
    (["--mode", "client"], "client", "balanced"),
    (["--mode", "server", "--policy", "round_robin"], "server", "round_robin"),
    (["--policy", "random"], "hybrid", "random"), (["--policy", "in_order"], "hybrid", "in_order"),
    (["--policy", "hash", "--key", "k"], "hybrid", "hash")])
def test_an_explanation_names_policy_and_mode(lbresolve, four, flags, mode, policy):
    result = json.loads(lbresolve.run("explain", *four, *flags, "--format", "json").out)["result"]
    assert (result["mode"], result["policy"]) == (mode, policy)
    assert f"policy {policy}, mode {mode}, the name's answers: " in lbresolve.run("explain", *four, *flags).out


@pytest.mark.rule("SEL-13", "SEL-02")
def test_what_is_learned_from_the_answers_is_explained_once_after_all_of_them(lbresolve, dns_server):
    """An answer a second counts where TTLs allow a cache on the way."""
    answers = iter(["127.0.0.1", "127.0.0.2", "127.0.0.1", "127.0.0.1"])
    dns_server.answers[("www.test", "A")] = lambda query: a(next(answers), ttl=60)
    learning = ["explain", "www.test:1", "-4", f"@{dns_server.address}", "--mode", "client", "--learn-weights",
                "--no-cache", "--interval", "1.1s"]
    ran = lbresolve.run(*learning, "--count", "4", "--format", "json")
    assert ran.code == 0 and len(ran.lines) == 1
    candidates = json.loads(ran.out)["result"]["candidates"]
    # The first answer shows that there is such an address, the others how often: two of three, and none of two.
    frequency = {c["address"]: c["frequency"] for c in candidates}
    assert frequency["127.0.0.1"] == pytest.approx((2 + 1) / (3 + 2), abs=0.01)
    assert frequency["127.0.0.2"] == pytest.approx((0 + 1) / (2 + 2), abs=0.01)
    assert all("as DNS answers" in c["why"] or "never measured" in c["why"] for c in candidates)
    answers = iter(["127.0.0.1", "127.0.0.2"])
    table = lbresolve.run(*learning, "--count", "2").out
    assert " answers " in table.splitlines()[0] and table.count("policy balanced, mode client") == 1


@pytest.mark.rule("SEL-08")
def test_the_key_decides_with_policy_hash(lbresolve, dns_server):
    dns_server.answers[("www.test", "A")] = [a(f"127.0.0.{n}") for n in range(30, 38)]

    def first(key):
        ran = lbresolve.run("explain", "www.test:1", "--policy", "hash", "--key", key, "--format", "short",
                            f"@{dns_server.address}")
        return ran.lines[0]

    assert {first("one") for _ in range(3)} == {first("one")}
    assert len({first(f"key {n}") for n in range(12)}) >= 3


def test_an_explanation_opens_no_connection(lbresolve, four):
    lbresolve.run("explain", *four)
    assert all(c["state"] == "unknown" and c["srtt_ms"] is None
               for c in json.loads(lbresolve.run("explain", *four, "--format", "json").out)["result"]["candidates"])


@pytest.mark.rule("USE-07")
def test_an_explanation_for_people(lbresolve, remembers, four, backends):
    lbresolve.run("probe", *four)
    ran = lbresolve.run("explain", *four)
    assert ran.lines[0].split() == ["#", "address", "state", "srtt", "success", "cost", "first", "why"]
    assert ran.lines[1].split()[0] == "1" and ran.lines[1].split()[2] == "healthy" and "1 of 1" in ran.lines[1]
    assert "suspect" in ran.lines[3] and "0 of 1" in ran.lines[3] and " 0 %" in ran.lines[3]
    short = lbresolve.run("explain", *four, "--format", "short")
    assert sorted(short.lines[:2]) == [f"{GOOD}:{backends.port}", f"{ALSO_GOOD}:{backends.port}"]
    assert len(short.lines) == 4
    assert "from " in lbresolve.run("explain", *four, "--trace").out, "the story of the lookup comes with --trace"


@pytest.mark.rule("MEM-06")
def test_an_explanation_says_when_the_local_network_is_suspected(lbresolve, remembers, dns_server, backends):
    dns_server.answers[("dead.test", "A")] = [a(REFUSING), a(ALSO_REFUSING)]
    target = [f"dead.test:{backends.port}", f"@{dns_server.address}", "--no-probes"]
    assert lbresolve.run("probe", *target).code == 7
    ran = lbresolve.run("explain", *target)
    assert "suspect the local network" in ran.lines[-1]
    assert json.loads(lbresolve.run("explain", *target, "--format", "json").out)["result"]["panic"] is True


@pytest.mark.rule("SEL-06", "SEL-13")
def test_an_explanation_of_a_service_shows_priorities_and_weights(lbresolve, dns_server, backends):
    dns_server.answers.update({
        ("_web._tcp.test", "SRV"): [srv(1, 30, backends.port, "near.test"), srv(2, 0, 9, "far.test")],
        ("near.test", "A"): a(GOOD), ("far.test", "A"): a("127.0.0.30")})
    server = f"@{dns_server.address}"
    candidates = json.loads(lbresolve.run("explain", "_web._tcp.test", server, "--format", "json").out)["result"][
        "candidates"]
    assert [(c["address"], c["priority"], c["weight"]) for c in candidates] == [(GOOD, 1, 30), ("127.0.0.30", 2, 0)]
    assert "priority 2" in candidates[1]["why"]
    assert "priority" in lbresolve.run("explain", "_web._tcp.test", server).lines[0]


# --- probe ----------------------------------------------------------------------------------------------------------


@pytest.mark.rule("USE-07")
def test_a_probe_as_json_has_every_address(lbresolve, four, backends):
    ran = lbresolve.run("probe", *four, "--format", "json")
    assert ran.code == 0 and ran.err == "" and len(ran.lines) == 1
    told = json.loads(ran.out)
    check_shape(told)
    assert told["kind"] == "probe" and list(told["result"]) == ["addresses"]
    found = {one["address"]: one for one in told["result"]["addresses"]}
    assert set(found) == {GOOD, ALSO_GOOD, REFUSING, SILENT}
    for one in found.values():
        assert list(one) == ATTEMPT and one["port"] == backends.port
    assert (found[GOOD]["outcome"], found[GOOD]["error"]) == ("connected", None)
    assert (found[REFUSING]["outcome"], found[REFUSING]["error"]["errno"]) == ("failed", 111)
    assert found[SILENT]["outcome"] == "failed" and found[SILENT]["took_ms"] >= 1900


def test_a_probe_for_people(lbresolve, four, backends):
    ran = lbresolve.run("probe", *four)
    rows = {line.split()[0]: line for line in ran.lines}
    assert rows[f"{GOOD}:{backends.port}"].endswith("connected")
    assert rows[f"{REFUSING}:{backends.port}"].endswith("refused")
    assert "no answer after 2" in rows[f"{SILENT}:{backends.port}"]
    short = lbresolve.run("probe", *four, "--format", "short")
    assert sorted(short.lines) == [f"{GOOD}:{backends.port}", f"{ALSO_GOOD}:{backends.port}"]


@pytest.mark.rule("USE-08")
@pytest.mark.parametrize("form", ["table", "short", "json"])
def test_a_probe_ends_with_seven_when_no_address_answers(lbresolve, dns_server, backends, form):
    dns_server.answers[("dead.test", "A")] = a(REFUSING)
    ran = lbresolve.run("probe", f"dead.test:{backends.port}", "--format", form, f"@{dns_server.address}")
    assert ran.code == 7
    assert ran.err == f"lbresolve: no address of dead.test:{backends.port} could be connected to\n"
    assert (REFUSING in ran.out) == (form != "short")
    if form == "json":
        assert json.loads(ran.out)["result"]["addresses"][0]["outcome"] == "failed", "that is what was found"


@pytest.mark.rule("USE-08")
@pytest.mark.parametrize("command", ["explain", "probe"])
@pytest.mark.parametrize("form", ["table", "json"])
def test_a_name_that_cannot_be_resolved_is_six(lbresolve, dns_server, command, form):
    ran = lbresolve.run(command, "missing.test:1", "--format", form, f"@{dns_server.address}")
    assert ran.code == 6
    assert ran.err.startswith("lbresolve: ") and ran.err.count("\n") == 1 and "missing.test" in ran.err
    if form == "json":
        told = json.loads(ran.out)
        check_shape(told)
        assert told["kind"] == command and told["error"]["code"] == "name_not_found"


def test_a_probe_can_be_repeated(lbresolve, backends):
    began = time.monotonic()
    ran = lbresolve.run("probe", f"{GOOD}:{backends.port}", "--count", "3", "--interval", "200ms", "--format", "json")
    assert [json.loads(line)["kind"] for line in ran.lines] == ["probe"] * 3
    assert time.monotonic() - began >= 0.4


def watch(lbresolve, backends, *flags):
    return subprocess.Popen(
        lbresolve.arguments("probe", f"{GOOD}:{backends.port}", "--watch", "--interval", "50ms", *flags),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.rule("USE-05", "USE-07", "USE-08")
def test_a_watch_writes_a_line_of_json_each_time_into_a_pipe_until_ctrl_c(lbresolve, backends):
    process = watch(lbresolve, backends)
    for _ in range(4):
        told = json.loads(process.stdout.readline())
        check_shape(told)
        assert told["kind"] == "probe" and told["result"]["addresses"][0]["outcome"] == "connected"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=5)
    assert process.returncode == 130 and err == ""
    assert all(json.loads(line)["kind"] == "probe" for line in out.splitlines()), "no line is cut off"


def test_a_watch_that_was_told_a_format_keeps_to_it(lbresolve, backends):
    process = watch(lbresolve, backends, "--format", "short")
    assert process.stdout.readline() == f"{GOOD}:{backends.port}\n"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=5)
    assert process.returncode == 130


def test_a_watch_ends_quietly_when_nobody_reads_on(lbresolve, backends):
    process = watch(lbresolve, backends)
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(5) == 0
    assert process.stderr.read() == ""
    process.stderr.close()


# --- whatever the terminal, whatever was sent -----------------------------------------------------------------------


@pytest.mark.rule("USE-07")
@pytest.mark.parametrize("columns", [20, 40, 60, 80, 200])
def test_no_line_is_wider_than_the_terminal(lbresolve, dns_server, backends, columns):
    dns_server.answers.update({
        ("_web._tcp.test", "SRV"): [srv(1, 30, backends.port, "near.test"), srv(2, 65535, 65535, "far.test")],
        ("near.test", "A"): [a(GOOD), a(REFUSING)], ("far.test", "A"): a("127.0.0.130")})
    server = f"@{dns_server.address}"
    for arguments in (["explain", "_web._tcp.test", server], ["probe", "_web._tcp.test", server],
                      ["explain", "_web._tcp.test", server, "--trace"], ["probe", "_web._tcp.test", server, "--trace"],
                      ["explain", "missing.test:1", server], ["health"]):
        ran = lbresolve.run_tty(*arguments, columns=columns)
        assert ran.out, arguments
        for line in unpainted(ran.out).splitlines():
            assert len(line) <= columns, arguments


@pytest.mark.rule("USE-07")
@pytest.mark.parametrize("arguments", [["explain"], ["probe"], ["health"]])
def test_colours_on_a_terminal_only(lbresolve, remembers, four, arguments):
    lbresolve.run("probe", *four)
    arguments = arguments if arguments == ["health"] else [*arguments, *four]
    assert "\x1b[" in lbresolve.run_tty(*arguments).out
    assert "\x1b" not in lbresolve.run(*arguments).out
    assert "\x1b" not in lbresolve.run_tty(*arguments, NO_COLOR="1").out


@pytest.mark.rule("SEC-12")
@pytest.mark.parametrize("evil", EVIL.values(), ids=EVIL.keys())
def test_names_from_the_network_are_escaped(lbresolve, dns_server, backends, evil):
    name = [evil[:60], b"test"]
    dns_server.answers[("evil.test", "A")] = [cname(name), a(GOOD, name=name)]
    for command in ("explain", "probe"):
        arguments = [command, f"evil.test:{backends.port}", "--trace", f"@{dns_server.address}"]
        for ran in (lbresolve.run(*arguments), lbresolve.run_tty(*arguments, columns=40), lbresolve.run_tty(*arguments),
                    lbresolve.run(*arguments, "--format", "json")):
            assert GOOD in ran.out.replace("\n", "")
            check_safe(unpainted(ran.out).encode())
            check_safe(ran.err.encode())
