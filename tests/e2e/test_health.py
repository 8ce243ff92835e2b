"""Remembering: what one connect has met, the next one knows. Addresses die, hang and come back while connects go on."""

from collections import Counter

import pytest
from backend import PORT
from dns_server import a
from places import NAME, SCRIPTED, TARGET, UNBOUND, v4, v6
from timing import CAD, SLACK

BALANCED = ("--mode", "hybrid", "--policy", "balanced")
ON = (*BALANCED, "--count", "100000", "--interval", "10ms")


def in_use(stories):
    """The address that the newest connects used most: what is dead from now on shall be missed."""
    return Counter(story.peer for story in stories[-12:]).most_common(1)[0][0]


def tried(stories, address):
    """Those that tried this address."""
    return [story for story in stories if address in {attempt.address for attempt in story.attempts}]


def syns_outside(lab, stories, address):
    """The SYNs for an address that no connect of the program's own sent: probes."""
    attempts = sum(attempt.address == address for story in stories for attempt in story.attempts)
    return len([syn for syn in lab.link.syns(PORT) if syn["address"] == address]) - attempts


@pytest.mark.rule("MEM-01", "MEM-11")
@pytest.mark.parametrize("how", ["refuse", "drop", "prohibit"])
def test_an_address_dies_inside_its_ttl_and_one_connect_waits_on_it(lab, backend, unbound, client, how):
    unbound({NAME: v4(4)}, ttl=300)
    lab.link.set(*v4(4), rtt_ms=20)
    running = client.connect_on(TARGET, UNBOUND, *ON)
    running.wait_until(lambda: set(backend.accepted) >= set(v4(4)), what="connections to all four")
    running.wait_for(12)
    alive, dead = len(running.stories), in_use(running.stories)
    getattr(lab, how)(dead)
    running.wait_for(120)
    stories = running.stop()
    assert all(story.succeeded for story in stories)
    waited = [story for story in tried(stories[alive:], dead) if story.peer != dead]
    assert len(waited) == 1, [story.document["trace"]["attempts"] for story in waited]
    assert stories.index(waited[0]) < alive + 80, "its turn comes: 1 in 4"
    later = stories[stories.index(waited[0]) + 1:]
    assert not tried(later, dead), "none after it, until it is back"
    seconds = sum(story.took_ms + 10 for story in stories) / 1000
    assert 0 <= syns_outside(lab, stories, dead) <= 0.01 * len(stories) + seconds + 2


@pytest.mark.rule("MEM-02")
def test_an_address_that_was_silent_for_a_moment_is_probed_and_used_as_before(lab, backend, unbound, client):
    unbound({NAME: v4(4)}, ttl=300)
    running = client.connect_on(TARGET, UNBOUND, *ON)
    running.wait_until(lambda: set(backend.accepted) >= set(v4(4)), what="connections to all four")
    running.wait_for(12)
    dead = in_use(running.stories)
    lab.drop(dead)
    running.wait_until(lambda: any(story.peer != dead for story in tried(running.stories, dead)),
                       what="a connect that met it")
    lab.accept_again(dead)
    assert_used_again(lab, running, dead)


@pytest.mark.rule("MEM-02")
def test_an_address_that_was_ejected_is_let_in_by_a_probe(lab, backend, unbound, client):
    unbound({NAME: v4(4)}, ttl=300)
    running = client.connect_on(TARGET, UNBOUND, *ON)
    running.wait_until(lambda: set(backend.accepted) >= set(v4(4)), what="connections to all four")
    running.wait_for(12)
    dead = in_use(running.stories)
    lab.refuse(dead)
    running.wait_until(lambda: any(story.peer != dead for story in tried(running.stories, dead)),
                       what="a connect that met it")
    lab.link.forget()
    met = len(running.stories)
    running.wait_until(lambda: syns_outside(lab, running.stories[met:], dead) >= 2, timeout=20,
                       what="two probes that failed, too")
    lab.accept_again(dead)
    assert_used_again(lab, running, dead)


def assert_used_again(lab, running, dead):
    """From now on no connect waits on it, and within a minute a probe has found it (here in seconds: it is not long
    dead) and connects use it."""
    lab.link.forget()
    back = len(running.stories)
    running.wait_until(lambda: len(tried(running.stories[back:], dead)) >= 4, timeout=30,
                       what="connects that use it again")
    stories = running.stop()
    assert all(story.peer == dead and len(story.attempts) == 1 for story in tried(stories[back:], dead))
    assert all(story.succeeded for story in stories)
    assert syns_outside(lab, stories[back:], dead) >= 1, "a probe found it, no connect"


@pytest.mark.rule("MEM-06")
def test_when_all_fail_at_once_the_local_network_is_suspected_and_nobody_is_ejected(lab, backend, scripted, client):
    """With round_robin: `balanced` would also keep to the first that was back for a while, which is no ejection."""
    server = scripted({(NAME, "A"): [a(address) for address in v4(4)]})
    running = client.connect_on(TARGET, SCRIPTED, "--policy", "round_robin", "--count", "100000", "--interval", "10ms",
                                "-4")
    running.wait_until(lambda: set(backend.accepted) >= set(v4(4)), what="connections to all four")
    asked = len(server.asked(NAME, "A"))
    lab.refuse("203.0.113.0/24")
    down = len(running.stories)
    running.wait_until(lambda: len([s for s in running.stories[down:] if not s.succeeded]) >= 20, what="20 failures")
    lab.accept_again()
    back = len(running.stories) + 1     # one may be under way
    running.wait_until(lambda: {story.peer for story in running.stories[back:]} == set(v4(4)), timeout=20,
                       what="connections to all four again, none of them ejected")
    stories = running.stop()
    failures = [story for story in stories[down:back] if not story.succeeded]
    assert {attempt.address for attempt in failures[-1].attempts} == set(v4(4)), "every one is still tried"
    assert any("local network" in note for story in failures for note in story.notes)
    assert asked < len(server.asked(NAME, "A")) <= asked + 2, "asked again, and not at every failure"
    assert all(story.succeeded for story in stories[back:])


@pytest.mark.rule("HE-25")
def test_when_every_address_is_bad_all_are_tried_and_the_worst_last(lab, backend, unbound, client):
    worst = v4(3)[1]
    unbound({NAME: v4(3)})
    running = client.connect_on(TARGET, UNBOUND, *ON)
    running.wait_until(lambda: set(backend.accepted) >= set(v4(3)), what="connections to all three")
    lab.refuse(worst)
    running.wait_until(lambda: any(story.peer != worst for story in tried(running.stories, worst)),
                       what="a connect that met it")
    lab.refuse(*v4(3))
    running.wait_until(lambda: not running.stories[-1].succeeded, what="a connect that fails")
    stories = running.stop()
    failed = next(story for story in stories if not story.succeeded)
    assert {attempt.address for attempt in failed.attempts} == set(v4(3))
    assert failed.attempts[-1].address == worst


@pytest.mark.rule("HE-41")
def test_where_the_round_trip_is_known_the_next_attempt_does_not_wait_for_the_default_delay(
        lab, backend, unbound, client):
    """clamp(srtt + 4 rttvar, 100 ms, 2 s): 20 ms are known, so it is the least."""
    unbound({NAME: v4(2)})
    lab.link.set(*v4(2), rtt_ms=20)
    running = client.connect_on(TARGET, UNBOUND, *ON)
    running.wait_for(20)
    assert set(backend.accepted) == set(v4(2))
    lab.drop(v4(2)[0])
    running.wait_until(lambda: len(running.stories[-1].attempts) > 1, what="a connect that meets it")
    story = next(story for story in running.stop()[20:] if len(story.attempts) > 1)
    first, second = story.attempts
    assert (first.address, second.address) == (v4(2)[0], v4(2)[1])
    assert 100 <= second.started - first.started < 100 + 2 * SLACK < CAD


# --- families ---------------------------------------------------------------------------------------------------------


def connect_to_each(lab, connect_names, names):
    """For each name, in order: milliseconds, the addresses tried in order, and the one that won."""
    done = lab.run("client", [str(connect_names), "192.0.2.53", *[f"{name}:{PORT}" for name in names]])
    assert done.returncode == 0, done
    found = []
    for line in done.stdout.splitlines():
        _, took, *attempts = line.split()
        pairs = [attempt.split("=") for attempt in attempts]
        started = [address for address, outcome in pairs if outcome != "skipped"]
        found.append((float(took), started, next(address for address, outcome in pairs if outcome == "won")))
    assert len(found) == len(names), done
    return found


def hosts_of_both_families(count):
    return {f"n{i}.example.test": [v4(1, first=i)[0], v6(1, first=i)[0]] for i in range(1, count + 1)}


@pytest.mark.rule("MEM-09")
@pytest.mark.parametrize("how", ["drop", "unreachable", "prohibit"])
def test_broken_ipv6_is_learned_for_the_network_after_two_names(lab, backend, unbound, connect_names, how):
    hosts = hosts_of_both_families(4)
    unbound(hosts)
    getattr(lab, how)("2001:db8:b::/64")
    for number, (took, tried_in_order, winner) in enumerate(connect_to_each(lab, connect_names, hosts)):
        assert ":" not in winner
        assert (":" in tried_in_order[0]) == (number < 2), "the first two names start with IPv6, no later one does"
        if number >= 2:
            assert took < CAD - SLACK, "and does not wait for it"


@pytest.mark.rule("MEM-09")
def test_one_dead_ipv6_server_is_held_against_nobody_else(lab, backend, unbound, connect_names):
    hosts = hosts_of_both_families(4)
    unbound(hosts)
    lab.drop(v6(1)[0])
    names = list(hosts)
    first, *others = connect_to_each(lab, connect_names, names)
    assert first[1][0] == v6(1)[0] and ":" not in first[2]
    assert all(":" in winner for _, _, winner in others)
    again = connect_to_each(lab, connect_names, [names[0], names[1], names[0], names[2]])
    assert [":" in tried_in_order[0] for _, tried_in_order, _ in again] == [True, True, False, True], (
        "the one name starts with IPv4 from then on")
