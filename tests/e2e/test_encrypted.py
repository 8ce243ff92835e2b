"""DNS over TLS and HTTPS: real servers, servers that do what real ones do at times, and what goes over the wire."""

import pytest
from dns_server import DROP, Reply, a, aaaa
from places import NAME
from timing import SLACK

V4, V6 = "203.0.113.1", "2001:db8:b::1"
HOSTS = {NAME: [V4, V6]}
SERVER = "dns.example.test"   # what the certificates are for
PEERS = {"unbound": "192.0.2.53", "kresd": "192.0.2.56", "dnsdist": "192.0.2.57"}


@pytest.fixture(scope="session")
def certificate(authority):
    """Of the server that should be asked, by name or by its address."""
    return authority.issue(SERVER, *PEERS.values(), "192.0.2.58", "192.0.2.60")


@pytest.fixture
def resolve(client, authority):
    """A function that resolves NAME through these servers, trusting the tests' authority."""
    return lambda *arguments, name=NAME, **options: client.resolve(
        name, "--ca-file", str(authority.file), *arguments, **options)


def only_tls_left_the_client(lab, port):
    """No datagram, and connections to that port alone; what went over them, the TLS servers look at."""
    return not lab.link.datagrams() and {syn["port"] for syn in lab.link.syns()} == {port}


@pytest.mark.rule("DNS-05")
@pytest.mark.parametrize("peer", PEERS)
def test_dot_is_spoken_with_real_servers(lab, request, certificate, resolve, peer):
    request.getfixturevalue(peer)(HOSTS, certificate=certificate)
    run = resolve(f"@tls://{PEERS[peer]}#{SERVER}")
    assert run.exit_code == 0, run
    assert sorted(run.addresses) == sorted([V4, V6])
    assert {(q.transport, q.upstream) for q in run.queries} == {("tls", f"tls://{PEERS[peer]}:853#{SERVER}")}
    assert len(lab.link.syns(853)) == 1 and only_tls_left_the_client(lab, 853)


@pytest.mark.rule("DNS-06")
@pytest.mark.parametrize("peer", PEERS)
@pytest.mark.parametrize("how", ["", "?get"], ids=["post", "get"])
def test_doh_is_spoken_with_real_servers(lab, request, certificate, resolve, peer, how):
    request.getfixturevalue(peer)(HOSTS, certificate=certificate)
    run = resolve(f"@https://{PEERS[peer]}/dns-query{how}")
    assert run.exit_code == 0, run
    assert sorted(run.addresses) == sorted([V4, V6])
    assert {(q.transport, q.upstream) for q in run.queries} == {("https", f"https://{PEERS[peer]}:443/dns-query")}
    assert len(lab.link.syns(443)) == 1 and only_tls_left_the_client(lab, 443)
