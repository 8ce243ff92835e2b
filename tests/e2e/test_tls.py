"""Races that TLS decides, on real sockets: who is mute, who has the wrong certificate, and what went over the wire."""

import pytest
from backend import PORT
from certificates import pin_of
from dns_server import Reply, a
from network_lab import in_namespace
from timing import CAD, SLACK, timed
from tls_backend import TLS_PORT, Site, TlsBackend

DNS = "@192.0.2.60"
NAME = "www.example.test"
TARGET = f"{NAME}:{TLS_PORT}"
ADDRESSES = ["203.0.113.1", "203.0.113.2", "203.0.113.3"]


@pytest.fixture
def tls_backend(lab):
    """A function that starts the TLS server, with what each address does."""
    running = []

    def start(**sites):
        with in_namespace("server"):
            running.append(TlsBackend({a: sites.get(f"site{i}", Site()) for i, a in enumerate(ADDRESSES, 1)}))
        return running[-1]

    yield start
    for backend in running:
        backend.close()


@pytest.fixture
def connect(scripted, client, authority):
    """A function that connects with TLS to the name, whose addresses are tried in their order."""

    def run(*arguments, ca=True):
        trusted = ["--ca-file", str(authority.file)] if ca else []
        return client.connect(TARGET, DNS, "-4", "--tls", "--policy", "in_order", *trusted, *arguments)

    scripted({(NAME, "A"): Reply([a(address) for address in ADDRESSES])})
    return run


def only_tls_was_sent(backend):
    return all(first[:2] == b"\x16\x03" for first in backend.first_octets) and not any(backend.heard)


@pytest.mark.rule("HE-51")
def test_a_server_that_accepts_and_stays_mute_loses_to_the_next_by_the_attempt_delay(tls_backend, connect, authority):
    good = Site(authority.issue(NAME), alpn=["h2"])
    backend = tls_backend(site2=good, site3=good)
    run = timed(lambda: connect("--alpn", "h2,http/1.1"), CAD, CAD)
    assert run.exit_code == 0, run
    mute, winner = run.attempts
    assert (mute.outcome, mute.stage) == ("cancelled", "tls")
    assert winner.outcome == "won" and run.peer == winner.address
    assert CAD <= winner.started - mute.started <= CAD + SLACK
    tls = run.stories[0].document["result"]["tls"]
    assert tls["protocol"] == "h2" and tls["version"] == "TLSv1.3" and tls["certificate"]["names"] == [NAME]
    assert only_tls_was_sent(backend)


@pytest.mark.rule("HE-52")
def test_the_wrong_certificate_at_one_address_of_three_leaves_the_others_usable(tls_backend, connect, authority):
    good = Site(authority.issue(NAME))
    backend = tls_backend(site1=Site(authority.issue("other.test")), site2=good, site3=good)
    run = connect()
    assert run.exit_code == 0, run
    wrong = next(a for a in run.attempts if a.address == ADDRESSES[0])
    assert (wrong.outcome, wrong.stage) == ("failed", "tls")
    error = run.stories[0].document["trace"]["attempts"][0]["error"]["message"]
    assert 'is for "other.test", not for "www.example.test"' in error
    assert run.peer in ADDRESSES[1:] and run.took_ms < CAD
    assert only_tls_was_sent(backend)


@pytest.mark.rule("HE-52")
def test_a_loser_that_was_left_behind_wins_when_the_first_to_connect_fails_in_tls(lab, tls_backend, connect, authority):
    good = Site(authority.issue(NAME))
    tls_backend(site1=Site(authority.issue("other.test")), site2=good, site3=good)
    # 203.0.113.1 connects first and fails at 400 ms, when the second attempt is on its way since 250.
    lab.link.set(ADDRESSES[0], rtt_ms=200)
    lab.link.set(*ADDRESSES[1:], rtt_ms=120)
    run = connect()
    assert run.exit_code == 0, run
    first, second = run.attempts[:2]
    assert first.outcome == "failed" and second.outcome == "won"
    assert second.started < first.ended < second.ended


@pytest.mark.rule("SEC-08")
@pytest.mark.parametrize("names, options, arguments, reason", [
    (("other.test",), {}, (), "not for"),
    ((NAME,), {"days": -1}, (), "expired at"),
    ((NAME,), {"self_signed": True}, (), "self-signed"),
    (("203.0.113.9",), {}, ("--tls-name", "203.0.113.1"), "not for 203.0.113.1"),
    ((NAME,), {}, ("--pin", "sha256-" + "A" * 43 + "="), "none of the pins"),
])
def test_the_wrong_certificate_is_refused_with_its_reason_and_nothing_but_a_handshake_is_sent(
        tls_backend, connect, authority, names, options, arguments, reason):
    site = Site(authority.issue(*names, **options))
    backend = tls_backend(site1=site, site2=site, site3=site)
    run = connect(*arguments)
    assert run.exit_code == 60, run
    assert run.error["code"] == "certificate_rejected" and reason in run.error["message"]
    assert reason in run.stderr
    assert len(backend.first_octets) == 3 and only_tls_was_sent(backend)


@pytest.mark.rule("SEC-08")
def test_a_pin_stands_for_an_authority(tls_backend, connect, authority):
    own = authority.issue("nobody.test", self_signed=True)
    tls_backend(site1=Site(own), site2=Site(own), site3=Site(own))
    assert connect(ca=False).exit_code == 60
    assert connect("--pin", pin_of(own), ca=False).exit_code == 0


@pytest.mark.rule("USE-08")
def test_what_is_no_tls_at_all_is_told_apart_from_a_wrong_certificate(backend, scripted, client):
    scripted({(NAME, "A"): a(ADDRESSES[0])})
    run = client.connect(f"{NAME}:{PORT}", DNS, "--tls", "-4")
    assert run.exit_code == 35, run
    assert run.error["code"] == "tls_failed" and "breaks the rules of TLS" in run.error["message"]
