"""What the flags do, seen from the DNS server and from the backends."""

import json
import socket
import struct

import pytest
from backends import GOOD, REFUSING, SILENT
from dns_server import DROP, DnsServer, a, aaaa, https, srv


def test_a_bare_name_resolves_and_short_gives_addresses_alone(lbresolve, dns_server):
    dns_server.answers[("www.test", "A")] = a("192.0.2.1")
    for words in (["www.test"], ["resolve", "www.test"]):
        assert lbresolve.run(*words, "--format", "short", f"@{dns_server.address}").out == "192.0.2.1\n"
    assert lbresolve.run("www.test:443", "--format", "short", f"@{dns_server.address}").out == "192.0.2.1:443\n"


def test_a_command_word_can_be_a_name_too(lbresolve, dns_server):
    dns_server.answers[("connect", "A")] = a("192.0.2.1")
    ran = lbresolve.run("resolve", "connect.", "--format", "short", f"@{dns_server.address}")
    assert ran.out == "192.0.2.1\n"


def test_servers_stand_anywhere_and_are_asked_in_their_order(lbresolve):
    with DnsServer({("www.test", "*"): DROP}) as silent, DnsServer({("www.test", "A"): a("192.0.2.1")}) as good:
        ran = lbresolve.run(f"@{silent.address}", "resolve", "--server", good.address, "www.test", "--format", "short")
        assert ran.out == "192.0.2.1\n"
        assert silent.queries and good.queries
        assert min(q.at for q in silent.queries) < min(q.at for q in good.queries)
        good.queries.clear()
        lbresolve.run("www.test", "--server", good.address, f"@{silent.address}", "--format", "short")
        assert good.queries


def test_families(lbresolve, dns_server):
    dns_server.answers.update({("www.test", "A"): a("192.0.2.1"), ("www.test", "AAAA"): aaaa("2001:db8::1")})
    assert lbresolve.run("www.test", "-4", "--format", "short", f"@{dns_server.address}").out == "192.0.2.1\n"
    assert {q.type for q in dns_server.queries} == {"A"}


@pytest.mark.parametrize("given, sent", [("198.51.100.0/24", (1, 24, b"\xc6\x33\x64")), ("0.0.0.0/0", (1, 0, b""))])
def test_subnet_goes_out_as_edns_client_subnet(lbresolve, dns_server, given, sent):
    dns_server.answers[("www.test", "A")] = a("192.0.2.1")
    lbresolve.run("www.test", "-4", "--subnet", given, f"@{dns_server.address}")
    option = dns_server.queries[0].edns_options[8]   # RFC 7871 section 6
    assert struct.unpack("!HBB", option[:4]) == (sent[0], sent[1], 0) and option[4:] == sent[2]


@pytest.mark.rule("SEL-07")
@pytest.mark.parametrize("target, flags, asks", [
    ("https://www.test", [], True), ("https://www.test", ["--no-https"], False),
    ("www.test:443", [], False), ("www.test:443", ["--https"], True)])
def test_https_records_are_asked_for_a_url_or_when_told_to(lbresolve, dns_server, backends, target, flags, asks):
    dns_server.answers.update({("www.test", "A"): a(GOOD),
                               ("www.test", "HTTPS"): https(1, ".", {3: struct.pack("!H", backends.port)})})
    ran = lbresolve.run("connect", target, *flags, "--timeout", "2s", "--format", "short", f"@{dns_server.address}")
    assert ("HTTPS" in {q.type for q in dns_server.queries}) == asks
    assert (ran.out == f"{GOOD}:{backends.port}\n") == asks


@pytest.mark.rule("SEL-06")
def test_a_service_is_resolved_and_connected_to(lbresolve, dns_server, backends):
    records = [srv(2, 0, 9, "far.test"), srv(1, 0, backends.port, "near.test")]
    dns_server.answers.update({("_web._tcp.test", "SRV"): records,
                               ("near.test", "A"): a(GOOD), ("far.test", "A"): a("192.0.2.1")})
    server = f"@{dns_server.address}"
    ran = lbresolve.run("_web._tcp.test", "--format", "short", server)
    assert ran.out == f"{GOOD}:{backends.port}\n192.0.2.1:9\n"
    ran = lbresolve.run("connect", "_web._tcp.test", "--format", "short", server)
    assert ran.out == f"{GOOD}:{backends.port}\n"
    ran = lbresolve.run("_web._tcp.test", "--trace", server)
    assert "SRV" in ran.out and "SRV: near.test:" in ran.out


@pytest.mark.rule("SEL-06")
def test_a_service_that_is_not_offered_is_said_to_be_so(lbresolve, dns_server):
    dns_server.answers[("_web._tcp.test", "SRV")] = srv(0, 0, 0)
    for command in ("resolve", "connect"):
        ran = lbresolve.run(command, "_web._tcp.test", f"@{dns_server.address}")
        assert ran.code == 6 and "offers no such service" in ran.err


def test_the_hosts_file_can_be_another_one(lbresolve, tmp_path):
    hosts = tmp_path / "hosts"
    hosts.write_text("192.0.2.77 made-up.test\n")
    ran = lbresolve.run("made-up.test", "--hosts", hosts)
    assert ran.code == 0 and "192.0.2.77" in ran.out and "from the hosts file" in ran.out


def test_the_search_list_applies_unless_told_otherwise(lbresolve, dns_server, tmp_path):
    config = tmp_path / "resolv.conf"
    config.write_text("search corp.test\n")
    dns_server.answers[("www.corp.test", "A")] = a("192.0.2.1")
    server = f"@{dns_server.address}"
    assert lbresolve.run("www", "--resolv-conf", config, "--format", "short", server).out == "192.0.2.1\n"
    assert lbresolve.run("www", "--resolv-conf", config, "--no-search", "--format", "short", server).code == 6


def test_count_goes_through_one_resolver_with_one_cache(lbresolve, dns_server):
    dns_server.answers[("www.test", "A")] = a("192.0.2.1")
    lbresolve.run("www.test", "-4", "--count", "5", f"@{dns_server.address}")
    assert len(dns_server.queries) == 1
    lbresolve.run("www.test", "-4", "--count", "5", "--no-cache", f"@{dns_server.address}")
    assert len(dns_server.queries) == 6


def test_count_shows_each_turn_the_distribution_and_the_percentiles(lbresolve, dns_server, backends):
    dns_server.answers[("www.test", "A")] = [a(REFUSING), a(GOOD)]
    ran = lbresolve.run("connect", f"www.test:{backends.port}", "--count", "20", f"@{dns_server.address}")
    assert ran.code == 0
    assert [line.split()[0] for line in ran.lines[:20]] == [str(n) for n in range(1, 21)]
    assert ran.lines[21] == "20 of 20 connected"
    assert ran.lines[22].split() == [f"{GOOD}:{backends.port}", "20", "100.0", "%"]
    assert [part.split()[0] for part in ran.lines[23].split(", ")] == ["p50", "p90", "p99", "max"]


def test_the_policy_decides_who_is_tried_first(lbresolve, dns_server):
    # Two addresses that RFC 6724 cannot tell apart.
    dns_server.answers[("www.test", "A")] = [a("127.0.0.31"), a("127.0.0.30")]
    server = f"@{dns_server.address}"

    def firsts(policy):
        ran = lbresolve.run("www.test", "-4", "--count", "40", "--policy", policy, "--format", "json", server)
        return {e["address"]: e["count"] for e in json.loads(ran.lines[-1])["endpoints"]}

    assert len(firsts("in_order")) == 1
    shuffled = firsts("random")
    assert len(shuffled) == 2 and min(shuffled.values()) >= 5


def test_parallel_connects_run_at_the_same_time(lbresolve, dns_server, backends):
    dns_server.answers[("silent.test", "A")] = a(SILENT)
    ran = lbresolve.run("connect", f"silent.test:{backends.port}", "--count", "6", "--parallel", "6", "--timeout",
                        "500ms", "--format", "json", f"@{dns_server.address}")
    summary = json.loads(ran.lines[-1])
    assert summary["failed"] == 6
    assert summary["took_ms"] < 1500, "one after the other, they take 3 s"


def test_the_attempt_delay_and_the_source(lbresolve, dns_server, backends):
    dns_server.answers[("www.test", "A")] = [a(SILENT), a(GOOD)]
    common = ["connect", f"www.test:{backends.port}", "--policy", "in_order", "--format", "json",
              f"@{dns_server.address}"]
    for _ in range(2):
        told = json.loads(lbresolve.run(*common, "--attempt-delay", "100ms", "--source", "127.0.0.99").out)
        attempts = told["trace"]["attempts"]
        assert told["result"]["endpoint"]["address"] == GOOD
        if len(attempts) == 2:
            assert 99 <= attempts[1]["started_ms"] - attempts[0]["started_ms"] < 200


def test_the_source_address_is_the_one_the_peer_sees(lbresolve):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(5)
        port = listener.getsockname()[1]
        assert lbresolve.run("connect", f"127.0.0.1:{port}", "--source", "127.0.0.99").code == 0
        peer, (host, _) = listener.accept()
        peer.close()
        assert host == "127.0.0.99"


def test_a_dash_dash_ends_the_flags(lbresolve, dns_server):
    dns_server.answers[("-odd.test", "A")] = a("192.0.2.1")
    ran = lbresolve.run("--format", "short", f"@{dns_server.address}", "--", "-odd.test")
    assert ran.out == "192.0.2.1\n" or ran.err.startswith('lbresolve: target "-odd.test"')
