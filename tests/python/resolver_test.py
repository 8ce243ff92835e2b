"""Resolver, and that its documents are those of the command."""

import json
import pickle
import socket
import subprocess
import time

import pytest
from dns_server import DROP, Reply, a, aaaa, cname, servfail

import lbresolve
from lbresolve import Endpoint


@pytest.fixture
def command(lbresolve_bin, dns_server, empty_file):
    """Runs the command against the same server and gives its document."""

    def run(*arguments):
        done = subprocess.run([lbresolve_bin, *map(str, arguments), f"@{dns_server.address}", "--format", "json",
                               "--hosts=", f"--resolv-conf={empty_file}", "--no-state"],
                              capture_output=True, text=True, timeout=20, check=False)
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    return run


TIMES = ("_ms",)


def without_times(document):
    """What is the same in two runs: ports of queries and times are not."""
    if isinstance(document, dict):
        return {k: without_times(v) if not k.endswith(TIMES) or v is None else type(v).__name__.replace("int", "float")
                for k, v in document.items() if k != "began"}
    if isinstance(document, list):
        return [without_times(v) for v in document]
    return document


def assert_same(ours, theirs):
    assert list(ours) == list(theirs)
    assert without_times(ours) == without_times(theirs)
    assert json.loads(json.dumps(ours)) == ours


def test_a_resolution_is_the_document_of_the_command(resolver, dns_server, command):
    dns_server.answers.update({("www.test", "CNAME"): cname("host.test"), ("host.test", "A"): [a("192.0.2.1")],
                               ("host.test", "AAAA"): [aaaa("2001:db8::1")]})
    found = resolver.resolve("www.test:443")
    assert_same(found.to_dict(), command("resolve", "www.test:443"))
    assert found.canonical_name == "host.test" and found.ttl_s <= 300
    assert {str(e) for e in found.endpoints} == {"192.0.2.1:443", "[2001:db8::1]:443"}
    assert found.trace.queries[0].source == "network" and found.trace.took_ms > 0


@pytest.mark.parametrize("name", ["nosuch.test", "broken.test", "empty.test"])
def test_a_failed_lookup_is_the_document_of_the_command(name, resolver, dns_server, command):
    dns_server.answers.update({("broken.test", "*"): servfail(ede=[(22, "all \u00e9 down")]),
                               ("empty.test", "TXT"): []})
    with pytest.raises(lbresolve.ResolveError) as raised:
        resolver.resolve(name)
    assert_same(raised.value.to_dict(), command("resolve", name))


def test_a_connect_is_the_document_of_the_command(resolver, dns_server, command, listener):
    dns_server.answers[("www.test", "A")] = [a("127.0.0.11")]
    target = f"www.test:{listener.port}"
    with resolver.connect(target) as made:
        assert_same(made.to_dict(), command("connect", target))
        assert made.endpoint == Endpoint("127.0.0.11", listener.port, "ipv4")
        assert made.socket.makefile().readline() == "127.0.0.11\n"
    assert made.socket.fileno() == -1


def test_a_failed_connect_is_the_document_of_the_command(resolver, dns_server, command, closed_port):
    dns_server.answers[("www.test", "A")] = [a("127.0.0.1")]
    target = f"www.test:{closed_port}"
    with pytest.raises(lbresolve.ConnectRefused) as raised:
        resolver.connect(target)
    assert_same(raised.value.to_dict(), command("connect", target))


def test_explain_and_probe_are_the_documents_of_the_command(resolver, dns_server, command, listener):
    dns_server.answers[("www.test", "A")] = [a("127.0.0.11"), a("127.0.0.1")]
    target = f"www.test:{listener.port}"
    ours, theirs = resolver.explain(target), command("explain", target)
    shown = ours.to_dict()
    assert [list(c) for c in shown["result"]["candidates"]] == [list(c) for c in theirs["result"]["candidates"]]
    assert {k: v for k, v in shown["result"].items() if k != "candidates"} == \
        {k: v for k, v in theirs["result"].items() if k != "candidates"}
    resolver.clear_cache()
    assert_same(resolver.probe(target).to_dict(), command("probe", target))
    state = {str(h.endpoint): h.state for h in resolver.health()}
    assert state == {f"127.0.0.11:{listener.port}": "healthy", f"127.0.0.1:{listener.port}": "suspect"}


def test_targets_are_texts_or_pairs(resolver, dns_server):
    dns_server.answers[("www.test", "A")] = [a("192.0.2.1")]
    for target, port in (("www.test", None), ("www.test:80", 80), (("www.test", 80), 80), (("www.test", None), None),
                         (("www.test", "http"), 80)):
        assert resolver.resolve(target).endpoints == (Endpoint("192.0.2.1", port, "ipv4"),)


def test_a_lookup_that_gets_no_answer_is_a_gaierror_and_a_timeout(dns_server, empty_file):
    dns_server.answers[("slow.test", "*")] = DROP
    with lbresolve.Resolver(servers=[dns_server.address], hosts="", resolv_conf=empty_file) as resolver:
        with pytest.raises(lbresolve.ResolveTimeout) as raised:
            resolver.resolve("slow.test", timeout=0.2)
        assert isinstance(raised.value, TimeoutError) and raised.value.errno == socket.EAI_AGAIN
        with pytest.raises(lbresolve.ResolveTimeout):
            resolver.connect("slow.test:80", timeout=0.3)


@pytest.mark.parametrize("wrong", [
    {"servers": ["nonsense://x"]}, {"policy": "best"}, {"mode": "all"}, {"families": "ipv5"}, {"query_timeout": -1},
    {"client_subnet": "x"}, {"servers": ["tls://192.0.2.1#"]}])
def test_a_setting_that_cannot_be_used_is_a_ValueError(wrong):
    with pytest.raises(ValueError):
        lbresolve.Resolver(**wrong)


@pytest.mark.parametrize("wrong", [{"servers": "192.0.2.1"}, {"servers": [1]}, {"cache_bytes": "much"}])
def test_a_setting_of_the_wrong_type_is_a_TypeError(wrong):
    with pytest.raises(TypeError):
        lbresolve.Resolver(**wrong)


def test_a_target_that_cannot_be_read_is_a_ValueError(resolver):
    for target in ("host:port", "host", "http//:x"):
        with pytest.raises(ValueError):
            resolver.connect(target)


def test_picks_are_members_and_reports_count(resolver, dns_server):
    dns_server.answers[("www.test", "A")] = [a("192.0.2.1"), a("192.0.2.2")]
    picked = {resolver.pick("www.test:443") for _ in range(200)}
    assert picked == {Endpoint("192.0.2.1", 443, "ipv4"), Endpoint("192.0.2.2", 443, "ipv4")}
    bad = Endpoint("192.0.2.1", 443, "ipv4")
    for _ in range(3):
        resolver.begin(bad)
        resolver.report(bad, False)
    resolver.report(("192.0.2.2", 443), True, latency=0.005)
    assert {h.endpoint.address: h.state for h in resolver.health()}["192.0.2.1"] in ("ejected", "suspect")
    end = time.monotonic() + 5  # picks follow a moment later: their plan is made on the resolver's thread
    while {resolver.pick(("www.test", 443)) for _ in range(100)} != {Endpoint("192.0.2.2", 443, "ipv4")}:
        assert time.monotonic() < end
    resolver.forget_health()
    assert resolver.health() == []


def test_a_pick_of_a_name_that_is_not_there_is_a_ResolveError(resolver):
    with pytest.raises(lbresolve.ResolveError):
        resolver.pick("nosuch.test:80")


def test_results_and_errors_can_be_pickled(resolver, dns_server):
    dns_server.answers[("www.test", "A")] = [a("192.0.2.1")]
    found = resolver.resolve("www.test")
    again = pickle.loads(pickle.dumps(found))
    assert again == found and again.to_dict() == found.to_dict()
    with pytest.raises(lbresolve.ResolveError) as raised:
        resolver.resolve("nosuch.test")
    again = pickle.loads(pickle.dumps(raised.value))
    assert type(again) is lbresolve.ResolveError and again.args == raised.value.args
    assert again.to_dict() == raised.value.to_dict()


def test_resolvers_with_the_same_settings_share_their_cache(dns_server, empty_file):
    dns_server.answers[("www.test", "A")] = [a("192.0.2.1")]
    settings = {"servers": [dns_server.address], "hosts": "", "resolv_conf": empty_file}
    with lbresolve.Resolver(**settings) as first, lbresolve.Resolver(**settings) as second:
        first.resolve("www.test")
        first.close()
        assert [q.source for q in second.resolve("www.test").trace.queries if q.type == "A"] == ["cache"]
        with lbresolve.Resolver(**settings, policy="random") as other:
            assert [q.source for q in other.resolve("www.test").trace.queries if q.type == "A"] == ["network"]
    with pytest.raises(ValueError, match="closed"):
        first.resolve("www.test")
    assert first.closed


def test_frozen_results_cannot_be_changed(resolver, dns_server):
    dns_server.answers[("www.test", "A")] = Reply([a("192.0.2.1")])
    found = resolver.resolve("www.test")
    with pytest.raises(AttributeError):
        found.ttl_s = 1
    assert hash(found.endpoints[0]) == hash(Endpoint("192.0.2.1", None, "ipv4"))
    assert found.endpoints[0].sockaddr == ("192.0.2.1", 0)
    assert Endpoint("fe80::1%3", 80, "ipv6").sockaddr == ("fe80::1", 80, 0, 3)
