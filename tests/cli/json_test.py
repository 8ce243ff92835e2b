"""USE-07: `--format json` is stable: a schema version, fixed keys in a fixed order, units in the keys."""

import json

import pytest
from backends import GOOD, REFUSING
from dns_server import DROP, a, aaaa, cname, servfail

OPERATION = ["schema", "kind", "target", "began", "took_ms", "result", "error", "trace"]
RESOLUTION = ["name", "canonical_name", "ttl_s", "authenticated", "endpoints"]
ENDPOINT = ["address", "port", "family"]
ERROR = ["code", "message", "errno"]
TRACE = ["queries", "attempts", "notes"]
QUERY = ["name", "type", "from", "upstream", "transport", "started_ms", "took_ms", "outcome", "rcode",
         "extended_error", "error", "ttl_s", "records", "detail"]
ATTEMPT = ["address", "port", "family", "started_ms", "took_ms", "outcome", "stage", "tls_after_ms", "error",
           "detail"]
SUMMARY = ["schema", "kind", "of", "target", "count", "succeeded", "failed", "took_ms", "each_took_ms", "endpoints",
           "errors"]


def check_shape(told, also_without_unit=()):
    """Every key, in its order; times and lifetimes have their unit in the key."""
    assert list(told) == OPERATION
    assert told["schema"] == "lbresolve/1"
    assert (told["result"] is None) != (told["error"] is None)
    if told["error"] is not None:
        assert list(told["error"]) == ERROR
    for query in told["trace"]["queries"]:
        assert list(query) == QUERY
    for attempt in told["trace"]["attempts"]:
        assert list(attempt) == ATTEMPT
    assert list(told["trace"]) == TRACE

    def walk(value, key):
        if isinstance(value, dict):
            for inner, one in value.items():
                walk(one, inner)
        elif isinstance(value, list):
            for one in value:
                walk(one, key)
        elif isinstance(value, float):
            assert key.endswith(("_ms", "_s")) or key in also_without_unit, f"{key} has no unit"

    walk(told, "")


@pytest.mark.rule("USE-07")
def test_a_resolution(lbresolve, dns_server):
    dns_server.answers.update({("www.test", "CNAME"): cname("lb.test", ttl=40),
                               ("lb.test", "A"): [a("192.0.2.1", ttl=60), a("192.0.2.2", ttl=60)]})
    ran = lbresolve.run("resolve", "www.test", "--policy", "in_order", "--format", "json", f"@{dns_server.address}")
    assert ran.code == 0 and ran.err == ""
    told = json.loads(ran.out)
    check_shape(told)
    assert ran.out.startswith('{\n  "schema": "lbresolve/1",\n'), "one object is written for people too"
    assert told["kind"] == "resolve" and told["target"] == "www.test"
    result = told["result"]
    assert list(result) == RESOLUTION
    assert (result["name"], result["canonical_name"], result["ttl_s"]) == ("www.test", "lb.test", 40)
    assert [list(e) for e in result["endpoints"]] == [ENDPOINT, ENDPOINT]
    # Which of two equals comes first is RFC 6724's matter (rule 9), not the format's.
    assert sorted(e["address"] for e in result["endpoints"]) == ["192.0.2.1", "192.0.2.2"]
    assert result["endpoints"][0]["port"] is None and result["endpoints"][0]["family"] == "ipv4"
    query = next(q for q in told["trace"]["queries"] if q["type"] == "A")
    assert query["from"] == "network" and query["upstream"] == dns_server.address and query["transport"] == "udp"
    assert query["outcome"] == "answered" and query["records"] == 2 and query["ttl_s"] == 40
    assert 0 <= query["started_ms"] + query["took_ms"] <= told["took_ms"] + 1


@pytest.mark.rule("USE-07")
def test_a_connection(lbresolve, dns_server, backends):
    dns_server.answers[("www.test", "A")] = [a(REFUSING), a(GOOD)]
    target = f"www.test:{backends.port}"
    ran = lbresolve.run("connect", target, "--policy", "in_order", "--format", "json", f"@{dns_server.address}")
    told = json.loads(ran.out)
    check_shape(told)
    assert told["kind"] == "connect" and told["target"] == target
    assert told["result"] == {"endpoint": {"address": GOOD, "port": backends.port, "family": "ipv4"}, "tls": None}
    assert [x["outcome"] for x in told["trace"]["attempts"] if x["address"] == GOOD] == ["won"]
    for lost in told["trace"]["attempts"]:
        if lost["address"] == REFUSING:
            assert lost["outcome"] == "failed" and lost["error"] == {"errno": 111, "message": "refused"}


@pytest.mark.rule("USE-07")
@pytest.mark.parametrize("name, code, exit_code", [
    ("missing.test", "name_not_found", 6), ("only-v6.test", "no_addresses", 6), ("broken.test", "upstream_failed", 6),
    ("slow.test", "timed_out", 28), ("dead.test", "connect_failed", 7), ("a..test", "invalid_target", 2)])
def test_errors_are_objects_too(lbresolve, dns_server, backends, name, code, exit_code):
    dns_server.answers.update({
        ("only-v6.test", "AAAA"): aaaa("2001:db8::1"), ("broken.test", "*"): servfail(ede=[(22, "nobody there")]),
        ("slow.test", "*"): DROP, ("dead.test", "A"): a(REFUSING)})
    ran = lbresolve.run("connect", f"{name}:{backends.port}", "-4", "--timeout", "400ms", "--format", "json",
                        f"@{dns_server.address}")
    assert ran.code == exit_code
    told = json.loads(ran.out)
    if code == "invalid_target":
        assert told["trace"] is None and told["began"] is None
    else:
        check_shape(told)
    assert told["result"] is None
    assert told["error"]["code"] == code
    assert told["error"]["errno"] == (111 if code == "connect_failed" else None)
    assert ran.err == f"lbresolve: {told['error']['message']}\n", "the sentence is for people as well"
    if name == "broken.test":
        assert told["trace"]["queries"][0]["rcode"] == "SERVFAIL"
        assert told["trace"]["queries"][0]["extended_error"] == {
            "code": 22, "name": "No Reachable Authority", "text": "nobody there"}


@pytest.mark.rule("USE-07")
def test_many_are_one_object_a_line_and_a_summary(lbresolve, dns_server, backends):
    dns_server.answers[("www.test", "A")] = a(GOOD)
    ran = lbresolve.run("connect", f"www.test:{backends.port}", "--count", "5", "--format", "json",
                        f"@{dns_server.address}")
    told = [json.loads(line) for line in ran.lines]
    assert [t["kind"] for t in told] == ["connect"] * 5 + ["summary"]
    for one in told[:-1]:
        check_shape(one)
    summary = told[-1]
    assert list(summary) == SUMMARY
    assert (summary["schema"], summary["of"], summary["count"], summary["succeeded"], summary["failed"]) == (
        "lbresolve/1", "connect", 5, 5, 0)
    times = sorted(one["took_ms"] for one in told[:-1])   # nearest rank of five: the 3rd, and the 5th for the others
    assert list(summary["each_took_ms"].items()) == [
        ("p50", times[2]), ("p90", times[4]), ("p99", times[4]), ("max", times[4])]
    assert summary["endpoints"] == [
        {"address": GOOD, "port": backends.port, "family": "ipv4", "count": 5, "share": 1.0}]
    assert summary["errors"] == {}


@pytest.mark.rule("USE-07")
def test_many_names_are_one_object_a_line_without_a_summary(lbresolve, dns_server):
    dns_server.answers[("www.test", "A")] = a("192.0.2.1")
    ran = lbresolve.run("www.test", "missing.test", "--format", "json", f"@{dns_server.address}")
    assert [json.loads(line)["target"] for line in ran.lines] == ["www.test", "missing.test"]


@pytest.mark.rule("USE-07")
def test_failures_are_counted_by_their_code(lbresolve, dns_server):
    ran = lbresolve.run("missing.test", "--count", "3", "--format", "json", f"@{dns_server.address}")
    summary = json.loads(ran.lines[-1])
    assert summary["errors"] == {"name_not_found": 3}
    assert summary["each_took_ms"] == {"p50": None, "p90": None, "p99": None, "max": None}
    assert ran.code == 6 and ran.err.startswith("lbresolve: 3 of 3 failed, the first: ")


@pytest.mark.rule("USE-07")
def test_json_has_no_colour_and_no_notion_of_the_terminal(lbresolve):
    on_terminal = lbresolve.run_tty("127.0.0.1", "--format", "json", "--color", "always", columns=40)
    told = json.loads(on_terminal.out)
    assert b"\x1b" not in on_terminal.raw
    assert told["result"]["endpoints"][0]["address"] == "127.0.0.1"
