"""Which DNS server is asked, and what of its answers counts."""

import json

import pytest
from dns_server import DnsServer, Reply, a, aaaa


def test_names_in_a_domain_are_asked_of_its_own_servers_alone(lbresolve):
    zone = {("www.test", "A"): a("192.0.2.1"), ("www.corp.test", "A"): a("192.0.2.2")}
    with DnsServer(zone) as public, DnsServer(zone) as corp:
        ran = lbresolve.run("www.test", "www.corp.test", "-4", "--format", "short", f"@{public.address}",
                            "--domain-server", f"corp.test={corp.address}")
        assert ran.out == "192.0.2.1\n192.0.2.2\n"
        assert {q.name for q in public.queries} == {"www.test"}
        assert {q.name for q in corp.queries} == {"www.corp.test"}


@pytest.mark.parametrize("choice, both", [("race", True), ("ordered", False)])
def test_a_race_asks_two_servers_at_once(lbresolve, choice, both):
    answer = {("www.test", "A"): Reply([a("192.0.2.1")], delay=0.1)}   # sooner than any hedge
    with DnsServer(answer) as first, DnsServer(answer) as second:
        ran = lbresolve.run("www.test", "-4", "--format", "short", "--choice", choice, f"@{first.address}",
                            f"@{second.address}")
        assert ran.out == "192.0.2.1\n"
        assert first.queries
        assert bool(second.queries) == both


@pytest.mark.rule("DNS-13")
def test_who_designates_nobody_is_named_and_asked_nothing_else(lbresolve, dns_server):
    dns_server.answers[("www.test", "A")] = a("192.0.2.1")
    ran = lbresolve.run("www.test", f"@ddr://{dns_server.address}")
    assert ran.code == 6
    assert f"{dns_server.address}: it designates no encrypted resolver (RFC 9462)" in ran.err
    assert {q.name for q in dns_server.queries} == {"_dns.resolver.arpa"}


@pytest.mark.rule("SEC-09")
def test_private_addresses_are_left_out_when_told_so(lbresolve, dns_server):
    dns_server.answers.update({("evil.test", "A"): [a("10.0.0.1"), a("192.0.2.1")], ("evil.test", "AAAA"): aaaa("fd00::1"),
                               ("only.test", "A"): a("127.0.0.1"), ("www.home.test", "A"): a("192.168.0.9")})
    server = f"@{dns_server.address}"
    ran = lbresolve.run("evil.test", "--no-private", "--trace", server)
    assert ran.code == 0 and "192.0.2.1" in ran.out
    assert "10.0.0.1 (private, RFC 1918) of evil.test is left out" in ran.out
    assert "fd00::1 (unique local, RFC 4193) of evil.test is left out" in ran.out
    ran = lbresolve.run("only.test", "--no-private", server)
    assert ran.code == 6
    assert "only.test has only addresses that the rebinding filter leaves out: 127.0.0.1 (loopback, RFC 1122)" in ran.err
    ran = lbresolve.run("www.home.test", "--no-private", "--private-ok", "home.test", "--format", "short", server)
    assert ran.out == "192.168.0.9\n"
    assert lbresolve.run("only.test", "--format", "short", server).out == "127.0.0.1\n"


@pytest.mark.parametrize("flags, told", [([], False), (["--trust-ad"], True)])
def test_what_dnssec_has_validated_counts_from_servers_that_are_trusted(lbresolve, dns_server, flags, told):
    dns_server.answers[("www.test", "A")] = Reply([a("192.0.2.1")], flags=0x81A0)
    server = f"@{dns_server.address}"
    document = json.loads(lbresolve.run("www.test", "-4", "--format", "json", *flags, server).out)
    assert document["result"]["authenticated"] is told
    assert ("authenticated" in lbresolve.run("www.test", "-4", *flags, server).out) == told

