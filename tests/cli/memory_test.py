"""What one run learns, the next one knows: the state file, health, and how to go without."""

import json
import os

import pytest
from backends import GOOD, REFUSING, SILENT
from dns_server import a
from json_test import ENDPOINT

RECORD = [*ENDPOINT, "state", "srtt_ms", "rttvar_ms", "latency_ms", "successes_30s", "failures_30s",
          "consecutive_failures", "in_flight", "age_ms", "comes_back_ms"]


pytestmark = pytest.mark.usefixtures("remembers")


@pytest.fixture
def two(dns_server, backends):
    """A name with an address that refuses, and one that works."""
    dns_server.answers[("www.test", "A")] = [a(REFUSING), a(GOOD)]
    return [f"www.test:{backends.port}", f"@{dns_server.address}", "--no-probes"]


def known(lbresolve, *flags):
    """What `health` gives, by address."""
    told = json.loads(lbresolve.run("health", "--format", "json", *flags).out)
    return {one["address"]: one for one in told["endpoints"]}


def candidates(lbresolve, target, *flags):
    told = json.loads(lbresolve.run("explain", *target, "--format", "json", *flags).out)
    return {one["address"]: one for one in told["result"]["candidates"]}


@pytest.mark.rule("MEM-13")
def test_an_explanation_shows_what_a_connect_before_it_learned(lbresolve, two):
    before = candidates(lbresolve, two)
    assert {c["state"] for c in before.values()} == {"unknown"}
    assert lbresolve.run("connect", *two, "--policy", "in_order").code == 0
    after = candidates(lbresolve, two)
    assert after[GOOD]["state"] == "healthy" and after[GOOD]["srtt_ms"] > 0 and after[GOOD]["successes_30s"] == 1
    assert list(after)[0] == GOOD


@pytest.mark.rule("MEM-01", "MEM-13")
def test_an_address_that_refused_is_tried_last_by_the_runs_after(lbresolve, two):
    assert lbresolve.run("probe", *two).code == 0
    assert candidates(lbresolve, two)[REFUSING]["state"] == "suspect"
    for _ in range(5):
        told = json.loads(lbresolve.run("connect", *two, "--format", "json").out)
        assert [x["address"] for x in told["trace"]["attempts"] if x["started_ms"] is not None] == [GOOD]


@pytest.mark.rule("MEM-01")
def test_three_failures_in_a_row_eject_over_several_runs(lbresolve, two):
    for _ in range(3):
        lbresolve.run("probe", *two)
    record = known(lbresolve)[REFUSING]
    assert record["state"] == "ejected" and record["consecutive_failures"] == 3
    assert 0 < record["comes_back_ms"] <= 60_000
    assert "ejected after 3 failures in a row" in lbresolve.run("explain", *two).out
    assert "in " in next(line for line in lbresolve.run("health").lines if REFUSING in line)


@pytest.mark.rule("USE-07")
def test_health_as_json(lbresolve, two, backends):
    lbresolve.run("probe", *two)
    ran = lbresolve.run("health", "--format", "json")
    assert ran.code == 0 and ran.err == "" and len(ran.lines) == 1
    told = json.loads(ran.out)
    assert list(told) == ["schema", "kind", "endpoints"]
    assert (told["schema"], told["kind"]) == ("lbresolve/1", "health")
    assert [one["address"] for one in told["endpoints"]] == [GOOD, REFUSING], "in the order of the addresses"
    for one in told["endpoints"]:
        assert list(one) == RECORD
        assert one["port"] == backends.port and one["age_ms"] >= 0 and one["in_flight"] == 0
        assert one["latency_ms"] is None and one["comes_back_ms"] is None
    good, refusing = told["endpoints"]
    assert (good["state"], good["consecutive_failures"], good["failures_30s"]) == ("healthy", 0, 0)
    assert good["srtt_ms"] > 0 and good["rttvar_ms"] >= 0
    assert (refusing["state"], refusing["consecutive_failures"], refusing["srtt_ms"]) == ("suspect", 1, None)


@pytest.mark.rule("USE-07")
def test_health_for_people(lbresolve, two, backends):
    assert lbresolve.run("health").out == "nothing is known yet: connect to something first\n"
    assert lbresolve.run("health", "--format", "short").out == ""
    lbresolve.run("probe", *two)
    lines = lbresolve.run("health").lines
    assert lines[0].split()[:4] == ["address", "state", "srtt", "success"]
    assert lines[1].split()[:2] == [f"{GOOD}:{backends.port}", "healthy"] and lines[1].split()[-1] == "-"
    assert lines[2].split()[:2] == [f"{REFUSING}:{backends.port}", "suspect"] and "0 of 1" in lines[2]
    short = lbresolve.run("health", "--format", "short")
    assert short.out == f"{GOOD}:{backends.port}\n{REFUSING}:{backends.port}\n"


def test_clear_forgets_it_all(lbresolve, two):
    lbresolve.run("probe", *two)
    assert set(known(lbresolve)) == {GOOD, REFUSING}
    cleared = lbresolve.run("health", "--clear")
    assert (cleared.code, cleared.out, cleared.err) == (0, "", "")
    assert known(lbresolve) == {}
    assert {c["state"] for c in candidates(lbresolve, two).values()} == {"unknown"}


def test_without_state_nothing_is_learned_and_nothing_kept(lbresolve, two):
    lbresolve.run("probe", *two, "--no-state")
    assert not lbresolve.state.exists()
    lbresolve.run("probe", *two)
    assert candidates(lbresolve, two)[REFUSING]["state"] == "suspect"
    assert candidates(lbresolve, two, "--no-state")[REFUSING]["state"] == "unknown"


def test_another_state_file_is_another_memory(lbresolve, two, tmp_path):
    other = tmp_path / "elsewhere" / "file"
    lbresolve.run("probe", *two, "--state", other)
    assert other.exists() and not lbresolve.state_file.exists()
    assert set(known(lbresolve, "--state", other)) == {GOOD, REFUSING} and known(lbresolve) == {}


def test_the_state_lies_where_xdg_says_and_else_in_the_home(lbresolve, two, tmp_path):
    lbresolve.run("probe", *two)
    assert lbresolve.state_file.exists()
    assert lbresolve.state_file.stat().st_mode & 0o777 == 0o600
    home = tmp_path / "home"
    home.mkdir()
    for unset in (None, "", "relative"):   # the XDG specification: what is not absolute is ignored
        lbresolve.run("probe", *two, XDG_STATE_HOME=unset, HOME=str(home))
        file = home / ".local" / "state" / "lbresolve" / "health.sqlite"
        assert file.exists()
        file.unlink()
    nowhere = lbresolve.run("probe", *two, XDG_STATE_HOME=None, HOME=None)
    assert (nowhere.code, nowhere.err) == (0, "")
    assert not os.path.exists("relative")


@pytest.mark.rule("SEC-11")
@pytest.mark.parametrize("content", [b"no database at all\n" * 400, b"SQLite format 3\0", b"\0" * 8192],
                         ids=["text", "cut off", "zeros"])
def test_a_damaged_file_is_moved_aside_and_the_command_works(lbresolve, two, content):
    lbresolve.state_file.parent.mkdir(parents=True)
    lbresolve.state_file.write_bytes(content)
    ran = lbresolve.run("connect", *two, "--trace")
    assert (ran.code, ran.err) == (0, "")
    note = next(line for line in ran.lines if line.startswith("note: "))
    assert "is damaged" in note and str(lbresolve.state_file) in ran.out.replace("\n      ", " ")
    assert lbresolve.state_file.with_name("health.sqlite.damaged").read_bytes() == content
    assert GOOD in known(lbresolve), "and memory works again"


@pytest.mark.rule("SEC-11")
@pytest.mark.parametrize("command", ["resolve", "connect", "explain", "probe", "health"])
def test_no_command_fails_for_its_state_file(lbresolve, two, command):
    lbresolve.state_file.mkdir(parents=True)   # a directory is no file
    ran = lbresolve.run(command, *(two if command != "health" else []))
    assert (ran.code, ran.err) == (0, "")


@pytest.mark.rule("MEM-01")
def test_what_a_probe_found_silent_costs_no_later_run_its_wait(lbresolve, dns_server, backends):
    dns_server.answers[("www.test", "A")] = [a(SILENT), a(GOOD)]
    common = [f"www.test:{backends.port}", "--policy", "in_order", "--no-probes", "--format", "json",
              f"@{dns_server.address}"]
    assert lbresolve.run("probe", *common).code == 0
    for _ in range(4):
        told = json.loads(lbresolve.run("connect", *common).out)
        assert [x["address"] for x in told["trace"]["attempts"] if x["started_ms"] is not None] == [GOOD]


@pytest.mark.rule("MEM-01")
def test_what_stays_silent_costs_one_run_its_wait_and_no_other(lbresolve, dns_server, backends):
    dns_server.answers[("www.test", "A")] = [a(SILENT), a(GOOD)]
    common = ["connect", f"www.test:{backends.port}", "--policy", "in_order", "--no-probes", "--format", "json",
              f"@{dns_server.address}"]
    waited = [len([x for x in json.loads(lbresolve.run(*common).out)["trace"]["attempts"]
                   if x["started_ms"] is not None]) for _ in range(6)]
    assert waited[0] <= 2 and waited[1:] == [1] * 5
