"""The DNS side of load balancing, as real servers do it: what their answers do when an address dies, when somebody
else asks, and by weight; seen through the command."""

import time
from collections import Counter

import pytest
from asking import ask, ask_until
from backend import PORT
from gdnsd_server import geoip, multifo, weighted
from pdns_server import if_port_up, pick_weighted
from places import GDNSD, NAME, PDNS, TARGET, UNBOUND, v4, v6


@pytest.mark.parametrize("how", ["refuse", "drop", "prohibit"])
def test_gdnsd_withdraws_an_address_whose_check_fails_and_takes_it_back(lab, backend, gdnsd, client, how):
    gdnsd({"www": multifo([*v4(3), *v6(1)])})
    ask_until(client, GDNSD, [*v4(3), *v6(1)])
    getattr(lab, how)(v4(3)[1], port=PORT)
    ask_until(client, GDNSD, [v4(3)[0], v4(3)[2], *v6(1)])
    lab.accept_again(v4(3)[1])
    ask_until(client, GDNSD, [*v4(3), *v6(1)])
    assert not backend.accepted, "the server's own checks are not counted"


def test_gdnsd_withdraws_an_address_that_says_it_is_unwell_but_still_serves(lab, backend, health_page, gdnsd, client):
    gdnsd({"www": multifo(v4(3), check="http")})
    ask_until(client, GDNSD, v4(3))
    health_page.unwell.add(v4(3)[0])
    ask_until(client, GDNSD, v4(3)[1:])
    assert client.connect(f"{v4(3)[0]}:{PORT}").exit_code == 0
    health_page.unwell.clear()
    ask_until(client, GDNSD, v4(3))


def test_gdnsd_gives_every_address_when_all_are_down(lab, backend, gdnsd, client):
    lab.refuse(*v4(3))
    gdnsd({"www": multifo(v4(3))})
    assert ask(client, GDNSD) == v4(3)


@pytest.mark.rule("DNS-15")
def test_the_client_subnet_decides_which_region_gdnsd_answers_with(lab, gdnsd, unbound, client):
    east, west = v4(4)[:2], v4(4)[2:]
    gdnsd({"www": geoip({"198.51.100.0/24": "east", "203.0.113.0/24": "west", "2001:db8:77::/48": "west"},
                        {"east": east, "west": west})})
    assert ask(client, GDNSD) == east, "by the client's own address"
    assert ask(client, GDNSD, "--subnet", "203.0.113.0/24") == west
    assert ask(client, GDNSD, "--subnet", "198.51.100.0/24") == east
    assert ask(client, GDNSD, "--subnet", "2001:db8:77::/48") == west
    assert ask(client, GDNSD, "--subnet", "0.0.0.0/0") == east
    unbound(stub="192.0.2.54")
    assert ask(client, UNBOUND, "--subnet", "203.0.113.0/24") == east, "this recursive server passes no subnet on"


def test_gdnsd_answers_with_the_next_region_when_one_is_down(lab, backend, gdnsd, client):
    east, west = v4(4)[:2], v4(4)[2:]
    gdnsd({"www": geoip({}, {"east": east, "west": west}, check="tcp")})
    ask_until(client, GDNSD, east)
    lab.refuse(*east)
    ask_until(client, GDNSD, west)
    lab.accept_again()
    ask_until(client, GDNSD, east)


@pytest.mark.parametrize("how", ["refuse", "drop"])
def test_powerdns_withdraws_an_address_whose_port_is_closed_and_takes_it_back(lab, backend, pdns, client, how):
    pdns({"www": if_port_up(PORT, v4(3)), "www/AAAA": if_port_up(PORT, v6(2))})
    lab.refuse(v4(3)[2])
    assert ask(client, PDNS) == sorted([*v4(3), *v6(2)]), "nothing was known at the first question"
    ask_until(client, PDNS, [*v4(2), *v6(2)])
    getattr(lab, how)(v4(3)[1], v6(2)[1], port=PORT)
    ask_until(client, PDNS, [v4(3)[0], v6(2)[0]])
    lab.accept_again(v4(3)[1], v6(2)[1])
    ask_until(client, PDNS, [*v4(2), *v6(2)])


@pytest.mark.parametrize("server", ["gdnsd", "pdns"])
def test_weights_show_in_how_often_an_address_is_the_answer(lab, gdnsd, pdns, client, server):
    """60, 30 and 10 in a hundred: with two degrees of freedom chi-square is 27.7 or more once in a million runs."""
    weights = dict(zip(v4(3), (60, 30, 10)))
    if server == "gdnsd":
        gdnsd({"www": weighted(weights)}, ttl="0/0")
    else:
        pdns({"www": pick_weighted(weights)}, ttl=0)
    run = client.run("resolve", NAME, GDNSD if server == "gdnsd" else PDNS, "-4", "--no-cache", "--count", "400",
                     "--format", "json")
    assert run.exit_code == 0, run
    answers = [story.addresses for story in run.stories]
    assert {len(answer) for answer in answers} == {1}
    found = Counter(answer[0] for answer in answers)
    chi_square = sum((found[address] - 4 * weight) ** 2 / (4 * weight) for address, weight in weights.items())
    assert chi_square < 27.7, found


@pytest.mark.rule("SEL-02", "SEL-13")
def test_weights_that_show_in_powerdns_answers_are_learned_where_that_is_asked_for(lab, backend, pdns, client):
    """Eight clients with 40 answers each, one a second: by the end each knows the weights to 8 points or so, and their
    mean to 3. Without learning the three would share alike. By policy `random`, which goes by weight alone: on a busy
    machine `balanced` moves shares to whoever seems faster."""
    heavy, _, light = v4(3)
    pdns({"www": pick_weighted(dict(zip(v4(3), (60, 30, 10))))}, ttl=1)
    learning = (PDNS, "-4", "--mode", "client", "--learn-weights")
    running = [client.connect_on(TARGET, *learning, "--policy", "random", "--count", "100000", "--interval", "100ms")
               for _ in range(8)]
    explained = client.run("explain", TARGET, *learning, "--count", "40", "--interval", "1.1s", "--format", "json",
                           timeout=90)
    assert explained.exit_code == 0, explained
    first_tries = Counter()
    for one in running:
        stories = one.stop()
        assert all(story.succeeded for story in stories)
        first_tries.update(story.attempts[0].address for story in stories[-200:])
    of_all = sum(first_tries.values())
    assert first_tries[heavy] / of_all > 0.45, first_tries
    assert first_tries[light] / of_all < 0.2, first_tries
    candidates = explained.story.document["result"]["candidates"]
    frequencies = {candidate["address"]: candidate["frequency"] for candidate in candidates}
    assert frequencies[heavy] > 0.35 and frequencies[heavy] > 2 * frequencies.get(light, 0), frequencies


def test_a_recursive_server_repeats_the_answer_in_its_cache_until_it_expires(lab, backend, gdnsd, unbound, client):
    gdnsd({"www": multifo(v4(3))}, ttl="4/4")
    unbound(stub="192.0.2.54", round_robin=True)
    ask_until(client, GDNSD, v4(3))
    began = time.monotonic()
    assert ask(client, UNBOUND) == v4(3)
    lab.refuse(v4(3)[1])
    ask_until(client, GDNSD, [v4(3)[0], v4(3)[2]])
    if time.monotonic() - began < 3.5:
        assert ask(client, UNBOUND) == v4(3), "stale for as long as the time to live says"
    ask_until(client, UNBOUND, [v4(3)[0], v4(3)[2]])
    assert time.monotonic() - began > 2.5, "not before the four seconds, which unbound counts in whole ones, were over"


def test_a_recursive_server_rotates_the_addresses_in_its_cache(lab, pdns, unbound, client):
    pdns({"www": f"{{{', '.join(repr(address) for address in v4(4))}}}"}, ttl=60)
    unbound(stub="192.0.2.55", round_robin=True)
    run = client.run("resolve", NAME, UNBOUND, "-4", "--no-cache", "--policy", "in_order", "--count", "60",
                     "--format", "json")
    assert {story.addresses[0] for story in run.stories} == set(v4(4))


def test_no_server_tries_to_leave_the_lab(lab, backend, health_page, gdnsd, pdns, unbound, client):
    before = lab.packets_without_a_route("server")
    gdnsd({"www": multifo(v4(2), check="http")})
    pdns({"www": if_port_up(PORT, v4(2))})
    unbound(stub="192.0.2.54")
    for server in (GDNSD, PDNS, UNBOUND):
        ask_until(client, server, v4(2))
    assert client.resolve("absent.example.test", UNBOUND).exit_code == 6
    assert lab.packets_without_a_route("server") == before
    assert {event["address"] for event in lab.link.syns() + lab.link.datagrams()} <= {
        "192.0.2.53", "192.0.2.54", "192.0.2.55"}
