"""Encrypted resolvers that a plain one designates (RFC 9462): real servers, and what goes over the wire."""

import time

import pytest
from certificates import server_context
from dns_server import a
from places import NAME

V4, V6 = "203.0.113.1", "2001:db8:b::1"
HOSTS = {NAME: [V4, V6]}
ORIGINAL = "192.0.2.53"        # the plain resolver, a real unbound
SERVER = "dns.example.test"    # what it designates
PEERS = {"unbound": "192.0.2.54", "kresd": "192.0.2.56", "dnsdist": "192.0.2.57"}
PARAMETERS = {"dot": "alpn=dot", "doh": "alpn=h2 key7=/dns-query{?dns}"}   # unbound 1.17 does not call it dohpath
SCHEMES = {"dot": ("tls", 853, ""), "doh": ("https", 443, "/dns-query")}


@pytest.fixture
def resolve(lab, client, authority):
    """A function that resolves NAME, trusting the tests' authority; the system's server is ORIGINAL."""
    lab.write_resolv_conf(ORIGINAL)
    return lambda *arguments: client.resolve(NAME, "--ca-file", str(authority.file), *arguments)


@pytest.fixture
def designate(unbound):
    """A function that starts ORIGINAL: it designates by these records, and knows these hosts in clear."""
    def start(*records, hosts=None, address=ORIGINAL, ttl=300):
        return unbound({"_dns.resolver.arpa": [f"SVCB {r}" for r in records], **(hosts or {})}, address=address,
                       more_zones=["resolver.arpa"], ttl=ttl)

    return start


def svcb(peer, how="dot", hint=True):
    return f"1 {SERVER}. {PARAMETERS[how]}" + (f" ipv4hint={PEERS[peer]}" if hint else "")


def upstream(how, original=ORIGINAL):
    scheme, port, path = SCHEMES[how]
    return f"{scheme}://{SERVER}:{port}{path}#{original}"


def in_clear(lab):
    """How many datagrams left the client, once it is sure that nothing was asked over TCP in clear."""
    assert not lab.link.syns(53)
    return len(lab.link.datagrams())


def has_the_answer(run):
    return run.exit_code == 0 and sorted(run.addresses) == sorted([V4, V6])


@pytest.mark.rule("DNS-13")
@pytest.mark.parametrize("peer", PEERS)
@pytest.mark.parametrize("how", SCHEMES)
def test_what_the_systems_resolver_designates_is_asked_instead(lab, request, authority, designate, resolve, peer, how):
    request.getfixturevalue(peer)(HOSTS, address=PEERS[peer], certificate=authority.issue("any.example.test", ORIGINAL))
    designate(svcb(peer, how), hosts={NAME: ["203.0.113.66"]})
    run = resolve("@ddr")
    assert has_the_answer(run), run
    told = {(q.name, q.type, q.transport, q.upstream) for q in run.queries}
    encrypted = (SCHEMES[how][0], upstream(how))
    assert told == {("_dns.resolver.arpa", "SVCB", "udp", f"{ORIGINAL}:53"), (NAME, "A", *encrypted),
                    (NAME, "AAAA", *encrypted)}
    assert in_clear(lab) == 1, "the question for designations, and no other"
    assert {syn["port"] for syn in lab.link.syns()} == {SCHEMES[how][1]}


@pytest.mark.rule("DNS-13")
@pytest.mark.parametrize("given", [["@ddr"], ["--server", f"ddr://{ORIGINAL}"]], ids=["system", "given"])
def test_where_there_are_no_hints_the_resolver_is_asked_where_its_designated_one_is(lab, unbound, authority, designate,
                                                                                   resolve, given):
    unbound(HOSTS, address=PEERS["unbound"], certificate=authority.issue(ORIGINAL))
    designate(svcb("unbound", hint=False), hosts={SERVER: [PEERS["unbound"]]})
    if given != ["@ddr"]:
        lab.write_resolv_conf("192.0.2.60")   # nobody is there
    run = resolve(*given)
    assert has_the_answer(run), run
    assert in_clear(lab) == 3, "designations, and the two addresses of the name"
    assert {d["address"] for d in lab.link.datagrams()} == {ORIGINAL}


@pytest.mark.rule("DNS-13")
def test_a_certificate_without_the_resolvers_address_is_refused(lab, unbound, authority, designate, resolve):
    """Whoever can change an answer on its way can name a server of his own, with a certificate for its name."""
    server = unbound(HOSTS, address=PEERS["unbound"], certificate=authority.issue(SERVER, PEERS["unbound"]))
    designate(svcb("unbound"), hosts=HOSTS)
    run = resolve("@ddr")
    assert run.exit_code == 6 and run.error["code"] == "upstream_failed", run
    assert f"{upstream('dot')}: " in run.error["message"]
    reason = f'the certificate of {SERVER}:853 is for "{SERVER}", "{PEERS["unbound"]}", not for {ORIGINAL}'
    assert reason in run.error["message"] and reason in run.stderr
    assert in_clear(lab) == 1
    assert server.statistics()["num.query.tls"] == "0"


@pytest.mark.rule("DNS-13")
def test_a_certificate_of_a_stranger_is_refused(lab, unbound, authority, designate, resolve):
    unbound(HOSTS, address=PEERS["unbound"], certificate=authority.issue(ORIGINAL, self_signed=True))
    designate(svcb("unbound"), hosts=HOSTS)
    run = resolve("@ddr")
    assert run.exit_code == 6 and "self-signed" in run.error["message"], run
    assert in_clear(lab) == 1


@pytest.mark.rule("DNS-13")
def test_a_resolver_that_designates_nobody_is_an_error_and_is_not_asked_in_clear(lab, unbound, resolve):
    unbound(HOSTS, more_zones=["resolver.arpa"])
    run = resolve("@ddr")
    assert run.exit_code == 6 and run.took_ms < 1000, run
    assert f"{ORIGINAL}:53: it designates no encrypted resolver (RFC 9462)" in run.error["message"]
    assert [(q.name, q.outcome) for q in run.queries] == [("_dns.resolver.arpa", "nxdomain")]
    assert in_clear(lab) == 1


@pytest.mark.rule("DNS-13")
def test_one_designated_resolver_does_not_stand_for_two(lab, unbound, authority, designate, resolve):
    """Each of two plain ones names the same server, whose certificate is for one of them: a TLS session that was
    made for that one must not be resumed for the other."""
    unbound(HOSTS, address=PEERS["unbound"], certificate=authority.issue(ORIGINAL), idle_ms=200)
    designate(svcb("unbound"))
    designate(svcb("unbound"), address="192.0.2.55")
    run = resolve("www.else.test", "@ddr", "--domain-server", "else.test=ddr://192.0.2.55", "--count", "2", "--no-cache",
                  "--interval", "500ms")
    assert {s.succeeded for s in run.stories if s.target == NAME} == {True}, run
    refused = [s.error["message"] for s in run.stories if s.target != NAME]
    assert len(refused) == 2 and all("not for 192.0.2.55" in message for message in refused), run


@pytest.mark.rule("DNS-13")
def test_another_resolv_conf_means_another_discovery(lab, unbound, authority, client, designate):
    lab.write_resolv_conf(ORIGINAL)
    unbound(HOSTS, address=PEERS["unbound"], certificate=authority.issue(ORIGINAL, "192.0.2.55"))
    designate(svcb("unbound"))
    designate(svcb("unbound"), address="192.0.2.55")
    watched = client.start("resolve", NAME, "@ddr", "--ca-file", str(authority.file), "--no-cache", "--format", "json",
                           "--count", "4", "--interval", "1.2s")
    time.sleep(1.8)
    lab.write_resolv_conf("192.0.2.55")
    run = client.finish(watched, ["json"], time.monotonic())
    assert run.exit_code == 0 and all(story.succeeded for story in run.stories), run
    asked = [{q.upstream for q in story.queries if q.type == "A"} for story in run.stories]
    assert asked[0] == {upstream("dot")} and asked[-1] == {upstream("dot", "192.0.2.55")}, asked


@pytest.mark.rule("DNS-13")
def test_a_designation_is_renewed_while_it_is_in_use(lab, dot, authority, client, scripted, designate):
    """Its TTL is 10 s, so it is asked for anew after 9 s, and no lookup waits for that."""
    context = server_context(authority.issue(ORIGINAL), ["dot"])
    servers = [dot({(NAME, "A"): a(V4)}, context=context, host=address) for address in ("192.0.2.60", "192.0.2.61")]
    first = designate(f"1 {SERVER}. alpn=dot ipv4hint=192.0.2.60", ttl=10)
    lab.write_resolv_conf(ORIGINAL)
    watched = client.start("resolve", NAME, "-4", "@ddr", "--ca-file", str(authority.file), "--no-cache", "--format",
                           "json", "--count", "12", "--interval", "1s")
    time.sleep(3)
    first.serve({"_dns.resolver.arpa": [f"SVCB 1 {SERVER}. alpn=dot ipv4hint=192.0.2.61"]})
    run = client.finish(watched, ["json"], time.monotonic())
    assert run.exit_code == 0 and all(story.succeeded for story in run.stories), run
    assert all(server.queries for server in servers)
    assert in_clear(lab) == 2
