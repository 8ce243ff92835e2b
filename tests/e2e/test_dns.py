"""Asking real and hostile name servers: truncation, old servers, dead servers, forged replies, files that change."""

import socket
import struct
import time

import pytest
from client import Story, read_documents
from dns_server import DROP, Reply, a, aaaa, build_reply, encode_name
from network_lab import in_namespace, wait_until
from timing import SLACK, compare, timed

NAME = "www.example.test"
V4, V6 = "203.0.113.1", "2001:db8:b::1"
HEDGE = 300.0     # the second server is asked after so long, when nothing is known of the first


@pytest.mark.rule("DNS-01")
@pytest.mark.parametrize("count", [64, 200])
def test_an_answer_too_big_for_udp_is_fetched_whole_from_the_same_server_over_tcp(lab, unbound, client, count):
    v4 = [f"203.0.113.{n}" for n in range(1, count + 1)]
    v6 = [f"2001:db8:b::{n:x}" for n in range(1, count + 1)]
    unbound({NAME: [*v4, *v6]}, round_robin=True)
    run = client.resolve(NAME, "@192.0.2.53")
    assert run.exit_code == 0, run
    assert sorted(run.addresses) == sorted([*v4, *v6])
    assert {syn["address"] for syn in lab.link.syns(53)} == {"192.0.2.53"}
    assert {q.transport for q in run.queries} >= {"tcp"}


@pytest.mark.rule("DNS-02")
@pytest.mark.parametrize("rcode, edit", [("FORMERR", None), ("NOTIMP", None), ("FORMERR", lambda out: _header(out))],
                         ids=["formerr", "notimp", "formerr-header-only"])
def test_a_server_from_before_edns_is_asked_without_it_and_remembered(lab, scripted, client, rcode, edit):
    records = {"A": [a(V4)], "AAAA": [aaaa(V6)]}

    def old_server(query):
        if query.edns:
            return Reply(rcode=rcode, edns=False, edit=edit)
        return Reply(records[query.type], edns=False)

    server = scripted({(NAME, "A"): old_server, (NAME, "AAAA"): old_server})
    run = client.run("resolve", NAME, "@192.0.2.60", "--count", "5", "--no-cache", "--format", "json")
    assert run.exit_code == 0, run
    assert sorted(run.addresses) == sorted([V4, V6])
    edns = [query.edns for query in server.queries]
    assert 1 <= sum(edns) <= 2, "one refusal a question under way, then it is known"
    assert not any(edns[4:]) and len(edns) >= 10


def _header(reply):
    """The header alone, with no section: ID, flags, and counts of zero."""
    return reply[:4] + bytes(8)


@pytest.mark.rule("DNS-03")
def test_answers_over_one_tcp_connection_may_come_out_of_order(lab, scripted, client):
    server = scripted({(NAME, "AAAA"): Reply([aaaa(V6)], delay=0.15), (NAME, "A"): a(V4)})
    run = client.resolve(NAME, "@tcp://192.0.2.60:53")
    assert run.exit_code == 0, run
    assert sorted(run.addresses) == sorted([V4, V6])
    assert {q.transport for q in server.queries} == {"tcp"}
    assert len({q.id for q in server.queries}) == len(server.queries) == 2
    assert len(lab.link.syns(53)) == 1, "both questions went out on one connection"


@pytest.mark.rule("DNS-03")
def test_a_reused_connection_that_the_server_had_closed_costs_no_failure(lab, scripted, client):
    scripted({(NAME, "AAAA"): Reply([aaaa(V6)], hang_up=True, delay=0.02), (NAME, "A"): a(V4)})
    run = client.run("resolve", NAME, "@tcp://192.0.2.60:53", "--count", "6", "--no-cache", "--format", "json")
    assert run.exit_code == 0, run
    assert [story.succeeded for story in run.stories] == [True] * 6


@pytest.mark.rule("DNS-04")
def test_a_question_without_an_answer_does_not_hold_up_others_on_its_connection(lab, scripted, many_names):
    names = [f"n{i}.example.test" for i in range(8)]
    scripted({**{(name, "A"): a(V4) for name in names}, ("stuck.example.test", "*"): DROP})
    ended = look_up_at_once(lab, many_names, ["stuck.example.test", *names], server="tcp://192.0.2.60", families="4",
                            timeout_ms=700)
    for name in names:
        outcome, took = ended[name]
        assert outcome == "ok" and took < 350, ended
    outcome, took = ended["stuck.example.test"]
    assert outcome != "ok" and 700 <= took < 700 + SLACK
    assert len(lab.link.syns(53)) == 1


def look_up_at_once(lab, program, names, server, families="46", timeout_ms=5000):
    """Outcome and milliseconds of each name, all asked for together."""
    done = lab.run("client", [str(program), server, families, str(timeout_ms), *names])
    assert done.returncode == 0, done
    lines = [line.split(" ", 1) for line in done.stdout.splitlines()]
    return {name: (rest.rsplit(" ", 1)[0], float(rest.rsplit(" ", 1)[1])) for name, rest in lines}


@pytest.mark.rule("TTL-08")
def test_two_hundred_callers_for_one_cold_name_cost_one_question_a_type(lab, scripted, many_names):
    server = scripted({(NAME, "A"): Reply([a(V4)], delay=0.2), (NAME, "AAAA"): Reply([aaaa(V6)], delay=0.2)})
    done = lab.run("client", [str(many_names), "192.0.2.60", "46", "5000", *[NAME] * 200])
    assert done.stdout.count(f"{NAME} ok ") == 200, done
    assert sorted(q.type for q in server.queries) == ["A", "AAAA"]


@pytest.mark.rule("DNS-15")
@pytest.mark.parametrize("prefix, option", [("198.51.100.0/24", "0001 18 00 c63364"), ("0.0.0.0/0", "0001 00 00"),
                                            (None, None)], ids=["given", "none", "off"])
def test_a_client_subnet_is_sent_as_given_and_else_not_at_all(lab, scripted, client, prefix, option):
    """RFC 7871 section 6: family, source prefix length, scope prefix length, and no more octets than the prefix has."""
    server = scripted({(NAME, "A"): a(V4), (NAME, "AAAA"): aaaa(V6)})
    run = client.resolve(NAME, "@192.0.2.60", *(["--subnet", prefix] if prefix else []))
    assert run.exit_code == 0, run
    assert [q.edns_options.get(8) for q in server.queries] == [option and bytes.fromhex(option)] * 2


@pytest.mark.rule("DNS-09")
def test_a_dead_first_server_costs_the_hedge_and_no_more(lab, unbound, client, request):
    unbound({NAME: [V4, V6]})
    lab.write_resolv_conf("192.0.2.99", "192.0.2.53")
    lab.drop("192.0.2.99")
    run = timed(lambda: client.resolve(NAME), HEDGE, HEDGE)
    assert run.exit_code == 0 and sorted(run.addresses) == sorted([V4, V6])
    assert run.wall_ms < 1000
    compare(lab, ["getent", "ahosts", NAME], 12, request)


@pytest.mark.rule("DNS-09")
def test_a_server_that_refuses_datagrams_is_left_at_once(lab, unbound, client):
    unbound({NAME: [V4, V6]})
    run = timed(lambda: client.resolve(NAME, "@192.0.2.99", "@192.0.2.53"), 0, 20)   # nothing listens on the first
    assert run.exit_code == 0 and sorted(run.addresses) == sorted([V4, V6])


@pytest.mark.rule("DNS-09")
def test_a_server_that_comes_back_is_used_again(lab, scripted, client):
    answers = {(NAME, "A"): a(V4), (NAME, "AAAA"): aaaa(V6)}
    first = scripted(answers, host="192.0.2.61")
    scripted(answers, host="192.0.2.62", delay=0.1)
    lab.drop("192.0.2.61")
    process = client.start("resolve", NAME, "@192.0.2.61", "@192.0.2.62", "--count", "60", "--no-cache",
                           "--format", "short")
    time.sleep(0.8)
    assert not first.queries
    lab.accept_again()
    out, error = process.communicate(timeout=30)
    assert process.returncode == 0, out + error
    assert len(first.queries) > 20, "most questions went to the first server again, once it was back"


@pytest.mark.rule("DNS-12")
def test_a_changed_resolv_conf_is_noticed_without_a_restart(lab, scripted, client):
    answers = {(NAME, "A"): a(V4), (NAME, "AAAA"): aaaa(V6)}
    old = scripted(answers, host="192.0.2.61", delay=0.05)
    new = scripted(answers, host="192.0.2.62", delay=0.05)
    lab.write_resolv_conf("192.0.2.61")
    process = client.start("resolve", NAME, "--count", "60", "--no-cache", "--format", "short")
    wait_until(lambda: len(old.queries) >= 8, what="questions to the first server")
    lab.write_resolv_conf("192.0.2.62")
    out, error = process.communicate(timeout=30)
    assert process.returncode == 0, out + error
    assert len(new.queries) >= 40
    assert old.queries[-1].at < new.queries[20].at, "the old server is not asked any more"


@pytest.mark.rule("DNS-12")
def test_a_changed_hosts_file_is_noticed_without_a_restart(lab, scripted, client):
    slow = scripted({(NAME, "A"): a(V4), (NAME, "AAAA"): aaaa(V6)}, delay=0.05)
    process = client.start("resolve", NAME, "@192.0.2.60", "--count", "80", "--no-cache", "--format", "json")
    wait_until(lambda: len(slow.queries) >= 8, what="questions to the server")
    lab.write_hosts(f"203.0.113.77 {NAME}\n")
    out, error = process.communicate(timeout=30)
    assert process.returncode == 0, out + error
    stories = [Story(d) for d in read_documents(out) if d["kind"] == "resolve"]
    assert V4 in stories[0].addresses
    assert stories[-1].addresses == ["203.0.113.77"]


def _wrong_question(reply):
    return reply[:12] + encode_name("evil.example.test") + reply[12:][len(encode_name(NAME)):]


def _with_address(reply, change):
    """The reply with another address in it, changed so that it must not be believed."""
    return change(reply.replace(bytes([203, 0, 113, 1]), bytes([203, 0, 113, 66])))


def _another_case(reply):
    end = 12 + len(encode_name(NAME))
    return _with_address(reply, lambda r: r[:12] + r[12:end].swapcase() + r[end:])


FORGERIES = {
    "wrong ID": lambda reply: _with_address(reply, lambda r: struct.pack("!H", r[0] << 8 | r[1] ^ 1) + r[2:]),
    "wrong question": lambda reply: _with_address(reply, _wrong_question),
    "a query, not a reply": lambda reply: _with_address(reply, lambda r: r[:2] + bytes([r[2] & 0x7F]) + r[3:]),
    "garbage": lambda reply: bytes(range(1, 200)),
    "nothing": lambda reply: b"",
    "the header alone": lambda reply: reply[:2] + b"\x81\x80" + bytes(8),
    "another case": _another_case,
}


@pytest.mark.rule("SEC-06")
@pytest.mark.parametrize("forgeries", [[f] for f in FORGERIES.values()] + [list(FORGERIES.values())],
                         ids=[*FORGERIES, "all of them"])
def test_forged_replies_are_discarded_and_the_true_one_is_taken(lab, scripted, client, forgeries):
    scripted({(NAME, "A"): Reply([a(V4)], delay=0.05, forged=forgeries)})
    run = client.resolve(NAME, "@192.0.2.60", "-4")
    assert run.exit_code == 0, run
    assert run.addresses == [V4]
    assert run.took_ms >= 50, "the true answer was waited for"
    again = run.queries[1:]
    assert {q.transport for q in again} <= {"tcp"} if _another_case in forgeries else not again, (
        "waiting went on; only a server that seems to fold case is asked again, in a way nobody can forge")


@pytest.mark.rule("SEC-06")
def test_a_reply_from_another_address_is_never_seen(lab, scripted, client):
    with in_namespace("server"):
        attacker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    attacker.bind(("192.0.2.66", 53))

    def answer(query):
        attacker.sendto(build_reply(query, Reply([a("203.0.113.66")])), query.client)
        return Reply([a(V4)], delay=0.05)

    with attacker:
        scripted({(NAME, "A"): answer})
        run = client.resolve(NAME, "@192.0.2.60", "-4")
    assert run.exit_code == 0 and run.addresses == [V4], run


@pytest.mark.rule("SEC-06")
def test_a_server_that_folds_case_is_still_understood(lab, scripted, client):
    """0x20 must not break names: some servers answer in lower case (draft-vixie-dnsext-dns0x20 section 2.3)."""
    def fold(reply):
        end = 12 + len(encode_name(NAME))
        return reply[:12] + reply[12:end].lower() + reply[end:]

    scripted({(NAME, "A"): Reply([a(V4)], edit=fold), (NAME, "AAAA"): Reply([aaaa(V6)], edit=fold)})
    run = client.resolve(NAME, "@192.0.2.60")
    assert run.exit_code == 0 and sorted(run.addresses) == sorted([V4, V6]), run


@pytest.mark.rule("SEC-07")
def test_two_hundred_concurrent_queries_leave_from_two_hundred_ports(lab, scripted, many_names):
    server = scripted({("*", "A"): Reply([a(V4)], delay=0.6), ("*", "AAAA"): Reply([aaaa(V6)], delay=0.6)})
    ended = look_up_at_once(lab, many_names, [f"n{i}.example.test" for i in range(100)], server="192.0.2.60")
    assert {outcome for outcome, _ in ended.values()} == {"ok"}
    sent = lab.link.datagrams()
    assert len(sent) == 200
    assert len({d["source_port"] for d in sent}) == 200
    assert sent[-1]["time"] - sent[0]["time"] < 0.6, "they were all under way together"
    assert len({q.id for q in server.queries}) >= 195, "IDs are drawn anew, too (two may fall together)"
