"""Choosing among addresses: the set that DNS gives, what is known of each in it, real servers and real delays."""

import time
from collections import Counter

import pytest
from asking import ask, ask_until
from backend import PORT
from chance import binomial_bounds
from dns_server import a
from gdnsd_server import geoip, multifo
from places import GDNSD, NAME, SCRIPTED, TARGET, UNBOUND, v4
from timing import SLACK

BALANCED = ("--mode", "hybrid", "--policy", "balanced")


def first_tries(stories):
    """How often each address was the first that a connect tried."""
    return Counter(story.attempts[0].address for story in stories)


def share(counts, addresses):
    return sum(counts[address] for address in addresses) / sum(counts.values())


@pytest.mark.rule("SEL-03")
def test_an_address_that_the_newest_answer_withdrew_gets_no_new_connects(lab, backend, health_page, gdnsd, client):
    """It would still take them: only DNS says that it shall be left alone. With round_robin, so that none is left out
    for another reason."""
    gdnsd({"www": multifo(v4(4), check="http")}, ttl="1/1")
    running = client.connect_on(TARGET, GDNSD, "--mode", "hybrid", "--policy", "round_robin", "--count", "100000",
                                "--interval", "10ms")
    running.wait_until(lambda: set(backend.accepted) >= set(v4(4)), what="connections to all four")
    health_page.unwell.add(v4(1)[0])
    ask_until(client, GDNSD, v4(4)[1:])
    time.sleep(1.3)     # the last answer that held it has lived its second
    backend.accepted.clear()
    running.wait_for(150)
    assert set(backend.accepted) == set(v4(4)[1:]), "the others, and only they"
    health_page.unwell.clear()
    ask_until(client, GDNSD, v4(4))
    running.wait_until(lambda: backend.accepted[v4(1)[0]] > 0, what="connections to the one that is back")
    assert all(story.succeeded for story in running.stop())


@pytest.mark.rule("SEL-04")
def test_when_the_whole_subset_fails_an_upstream_that_does_not_repeat_itself_is_asked_at_once(
        lab, backend, health_page, gdnsd, unbound, client):
    """The recursive server has the region that died in its cache for another minute; the authoritative one knows."""
    east, west = v4(2), v4(2, first=11)
    gdnsd({"www": geoip({}, {"east": east, "west": west}, check="http")}, ttl="60/60")
    unbound(stub="192.0.2.54")
    assert ask(client, UNBOUND) == east
    running = client.connect_on(TARGET, UNBOUND, GDNSD, *BALANCED, "--choice", "ordered", "--count", "100000",
                                "--interval", "10ms")  # in their order, so that it is unbound's answer that fails
    running.wait_for(20)
    health_page.unwell.update(east)
    ask_until(client, GDNSD, west)
    assert ask(client, UNBOUND) == east, "a recursive server repeats its cache"
    lab.refuse(*east)
    running.wait_until(lambda: sum(backend.accepted[address] for address in west) >= 20, timeout=5,
                       what="connections to the other region")
    stories = running.stop()
    assert all(story.succeeded for story in stories), "the connect that met the failure was helped as well"
    moved = next(story for story in stories if story.peer in west)
    assert {attempt.address for attempt in moved.attempts if attempt.outcome == "failed"} == set(east)
    assert any(q.source == "network" and q.upstream == "192.0.2.54:53" for q in moved.queries)


@pytest.mark.rule("SEL-04", "HE-59")
def test_what_fails_as_a_whole_is_asked_about_again_once_for_all_who_wait_and_not_at_every_failure(
        lab, backend, scripted, client):
    server = scripted({(NAME, "A"): [a(address) for address in v4(3)]})
    lab.refuse(*v4(3))
    began = time.monotonic()
    run = client.run("connect", TARGET, SCRIPTED, *BALANCED, "-4", "--count", "40", "--parallel", "10", "--interval",
                     "20ms", "--format", "short", timeout=20)
    seconds = time.monotonic() - began
    assert run.exit_code == 7, run
    assert 2 <= len(server.asked(NAME, "A")) <= 2 + seconds / 5, "at most every five seconds"


@pytest.mark.rule("SEL-09")
def test_eight_equal_addresses_share_alike(lab, backend, unbound, client):
    """Equal they are on the wire; a machine that is busy at the wrong moment makes one look far. So one of a few runs
    must share as chance would, and chance itself fails one run in a million."""
    unbound({NAME: v4(8)})
    lab.link.set(*v4(8), rtt_ms=20)
    least, most = binomial_bounds(2000, 1 / 8, alarm=1e-6 / 8)
    shares = []
    for _ in range(4):
        run = client.connect(TARGET, UNBOUND, *BALANCED, "--count", "2000", "--parallel", "40")
        assert run.exit_code == 0, run
        counts = first_tries(run.stories)
        shares.append([counts[address] for address in v4(8)])
        if least <= min(shares[-1]) and max(shares[-1]) <= most:
            return
    raise AssertionError(f"{shares}: expected {least} to {most} each")


@pytest.mark.rule("SEL-10")
def test_one_of_eight_that_is_far_is_left_alone(lab, backend, unbound, client):
    unbound({NAME: v4(8)})
    lab.link.set(*v4(8), rtt_ms=5)
    lab.link.set(v4(1)[0], rtt_ms=85)
    run = client.connect(TARGET, UNBOUND, *BALANCED, "--count", "316")
    assert run.exit_code == 0, run
    counts = first_tries(run.stories[16:])
    assert share(counts, v4(1)) <= 0.03, counts


@pytest.mark.rule("SEL-10")
def test_one_of_eight_that_is_near_gets_nearly_all(lab, backend, unbound, client):
    unbound({NAME: v4(8)})
    lab.link.set(*v4(8), rtt_ms=80)
    lab.link.set(v4(1)[0], rtt_ms=5)
    run = client.connect(TARGET, UNBOUND, *BALANCED, "--count", "216")
    assert run.exit_code == 0, run
    counts = first_tries(run.stories[16:])
    assert share(counts, v4(1)) >= 0.8, counts


@pytest.mark.rule("HE-22")
def test_of_two_addresses_the_nearer_is_tried_first(lab, backend, unbound, client):
    unbound({NAME: v4(2)})
    lab.link.set(v4(2)[0], rtt_ms=80)
    lab.link.set(v4(2)[1], rtt_ms=20)
    run = client.connect(TARGET, UNBOUND, *BALANCED, "--count", "40")
    assert run.exit_code == 0, run
    assert first_tries(run.stories[:4]).keys() == set(v4(2)), "each is tried once before anything is known"
    assert first_tries(run.stories[4:])[v4(2)[1]] >= 34, first_tries(run.stories)


@pytest.mark.rule("SEL-14")
def test_the_far_region_waits_until_the_near_one_dies_and_then_until_it_is_back(lab, backend, unbound, client):
    near, far = v4(4), v4(4, first=11)
    unbound({NAME: [*near, *far]})
    lab.link.set(*near, rtt_ms=10)
    lab.link.set(*far, rtt_ms=100)
    running = client.connect_on(TARGET, UNBOUND, *BALANCED, "--count", "100000", "--interval", "5ms")
    running.wait_for(216)
    counts = first_tries(running.stories[16:])
    assert share(counts, far) <= 0.02, counts

    lab.drop(*near)
    running.wait_until(lambda: running.stories[-1].peer in far, what="a connection to the far region")
    running.wait_for(10)
    lab.accept_again()
    back = len(running.stories)
    running.wait_until(lambda: running.stories[-1].peer in near, what="a connection to the near region")
    assert_moved_within_one_connect(running.stories[:back], far)
    running.wait_until(lambda: share(first_tries(running.stories[-60:]), near) > 0.95, what="the near region's share")
    assert all(story.succeeded for story in running.stop())


def assert_moved_within_one_connect(stories, far):
    """From the first connect that met the dead region on, all ended in the other one, and none but it had to wait."""
    first = next(n for n, story in enumerate(stories) if story.attempts[0].outcome == "cancelled")
    moved = stories[first:]
    assert {story.peer for story in moved} <= set(far)
    for story in moved[1:]:
        assert story.attempts[0].address in far and story.took_ms < 100 + 2 * SLACK, story.document
