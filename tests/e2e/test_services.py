"""Services on real sockets: SRV (RFC 2782) and HTTPS records (RFC 9460), from scripted servers and from unbound."""

from collections import Counter

import pytest
from backend import PORT
from dns_server import DROP, Reply, a, aaaa, https, srv
from timing import CAD, timed

DNS = "@192.0.2.53"
SCRIPTED = "@192.0.2.60"
ZONE = "example.test"
SERVICE = f"_web._tcp.{ZONE}"
NAME = f"www.{ZONE}"
V4 = [f"203.0.113.{n}" for n in range(1, 9)]
V6 = [f"2001:db8:b::{n}" for n in range(1, 9)]


def port_param(number):
    return {3: number.to_bytes(2, "big")}


def host(n):
    return f"h{n}.{ZONE}"


def service_data(*records, families=(V4, V6)):
    """Records as (priority, weight, port), the n-th at host n, with its addresses, for unbound."""
    data = {SERVICE: [f"SRV {p} {w} {port} {host(n)}." for n, (p, w, port) in enumerate(records)]}
    for n in range(len(records)):
        data[host(n)] = [family[n] for family in families]
    return data


@pytest.mark.rule("SEL-06")
def test_a_service_is_connected_to_through_a_real_resolver(lab, backend, unbound, client):
    unbound(service_data((20, 0, 9), (10, 0, PORT)))
    run = client.connect(SERVICE, DNS)
    assert run.exit_code == 0, run
    assert (run.winner.address, run.winner.port) == (V6[1], PORT)
    assert {(syn["address"], syn["port"]) for syn in lab.link.syns(PORT)} == {(V6[1], PORT)}
    run = client.resolve(SERVICE, DNS)
    assert run.addresses == [V6[1], V4[1], V6[0], V4[0]]
    assert [e["port"] for e in run.story.document["result"]["endpoints"]] == [PORT, PORT, 9, 9]


@pytest.mark.rule("SEL-06", "HE-23")
def test_a_dead_priority_is_gone_through_before_the_next_one(lab, backend, unbound, client):
    unbound(service_data((1, 1, PORT), (1, 1, PORT), (2, 1, PORT), families=(V4,)))
    lab.drop(V4[0])
    lab.drop(V4[1])
    run = timed(lambda: client.connect(SERVICE, DNS), 2 * CAD, 2 * CAD)
    assert run.exit_code == 0, run
    assert {x.address for x in run.attempts[:2]} == {V4[0], V4[1]}
    assert run.winner.address == V4[2]


@pytest.mark.rule("SEL-06")
def test_weights_spread_connects_over_the_hosts_and_families_do_not_bend_them(lab, backend, unbound, client):
    data = service_data((1, 75, PORT), (1, 25, PORT), families=(V4,))
    data[host(1)].append(V6[1])
    unbound(data)
    count = 400
    run = client.run("connect", SERVICE, DNS, "--count", str(count), "--policy", "random", "--format", "json",
                     timeout=60)
    assert run.exit_code == 0, run
    won = Counter(story.peer for story in run.stories)
    # Five standard deviations of a binomial: 1 in a million.
    assert abs(won[V4[0]] - 0.75 * count) < 5 * (count * 0.75 * 0.25) ** 0.5, won
    assert won[V4[1]] <= 0.02 * count, won   # its IPv6 address is tried first


@pytest.mark.rule("SEL-06")
def test_a_domain_may_say_that_it_does_not_offer_the_service(lab, unbound, client):
    unbound({SERVICE: ["SRV 0 0 0 ."]})
    for command in (client.connect, client.resolve):
        run = command(SERVICE, DNS)
        assert run.exit_code == 6, run
        assert run.error["code"] == "no_addresses" and "offers no such service" in run.error["message"]
        assert [q.type for q in run.queries] == ["SRV"]


@pytest.mark.rule("SEL-06")
def test_a_host_whose_name_server_is_mute_holds_nobody_up_for_long(lab, backend, scripted, client):
    scripted({(SERVICE, "SRV"): [srv(1, 0, PORT, host(0)), srv(2, 0, PORT, host(1))],
              (host(0), "*"): DROP, (host(1), "A"): a(V4[1]), (host(1), "AAAA"): aaaa(V6[1])})
    run = timed(lambda: client.connect(SERVICE, SCRIPTED), CAD, CAD)
    assert run.exit_code == 0, run
    assert run.winner.address == V6[1]


@pytest.mark.rule("SEL-07")
def test_an_alias_and_a_record_with_another_host_and_port_through_a_real_resolver(lab, backend, unbound, client):
    unbound({NAME: [V4[0], "HTTPS 0 alias.example.test."], "alias.example.test": [
        V4[1], f"HTTPS 1 svc.example.test. port={PORT} alpn=h2"], "svc.example.test": [V4[2], V6[2]]})
    run = client.connect(f"https://{NAME}", DNS)
    assert run.exit_code == 0, run
    assert (run.winner.address, run.winner.port) == (V6[2], PORT)
    assert len(run.attempts) == 1
    assert any("alpn h2" in note for note in run.story.document["trace"]["notes"])


@pytest.mark.rule("SEL-07")
def test_aliases_in_a_circle_lead_back_to_the_name_itself(lab, backend, unbound, client):
    unbound({NAME: [V4[0]], f"_{PORT}._https.{NAME}": ["HTTPS 0 one.example.test."],
             "one.example.test": ["HTTPS 0 two.example.test."], "two.example.test": ["HTTPS 0 one.example.test."]})
    run = client.connect(f"https://{NAME}:{PORT}", DNS)
    assert run.exit_code == 0, run
    assert run.winner.address == V4[0]
    assert any("circle" in note for note in run.story.document["trace"]["notes"])


@pytest.mark.rule("SEL-07", "HE-23")
def test_when_what_the_records_name_is_dead_the_host_itself_is_tried_last(lab, backend, scripted, client):
    scripted({(NAME, "A"): a(V4[0]), (f"_{PORT}._https.{NAME}", "HTTPS"): [
        https(1, host(1), port_param(9)), https(2, host(2), port_param(9))],
        (host(1), "A"): a(V4[1]), (host(2), "A"): a(V4[2])})
    run = client.connect(f"https://{NAME}:{PORT}", SCRIPTED)
    assert run.exit_code == 0, run
    assert [(x.address, x.port) for x in run.attempts] == [(V4[1], 9), (V4[2], 9), (V4[0], PORT)]


@pytest.mark.rule("HE-12")
def test_a_late_https_record_is_not_waited_for(lab, backend, scripted, client):
    scripted({(NAME, "A"): a(V4[0]), (NAME, "AAAA"): Reply([aaaa(V6[0])]),
              (f"_{PORT}._https.{NAME}", "HTTPS"): Reply([https(1, host(1))], delay=0.5), (host(1), "A"): a(V4[1])})
    run = timed(lambda: client.connect(f"https://{NAME}:{PORT}", SCRIPTED), 50, 50)
    assert run.exit_code == 0, run
    assert run.winner.address == V6[0]
