"""DNS over TLS and HTTPS: real servers, servers that do what real ones do at times, and what goes over the wire."""

import time

import pytest
from certificates import pin_of, server_context
from dns_server import DROP, a, aaaa
from places import NAME

V4, V6 = "203.0.113.1", "2001:db8:b::1"
HOSTS = {NAME: [V4, V6]}
ANSWERS = {(NAME, "A"): a(V4), (NAME, "AAAA"): aaaa(V6)}
SERVER = "dns.example.test"   # what the certificates are for
PEERS = {"unbound": "192.0.2.53", "kresd": "192.0.2.56", "dnsdist": "192.0.2.57"}
DOT, DOH = f"@tls://192.0.2.60#{SERVER}", "@https://192.0.2.58/dns-query"


@pytest.fixture(scope="session")
def certificate(authority):
    """Of the server that should be asked, by name or by its address."""
    return authority.issue(SERVER, *PEERS.values(), "192.0.2.58", "192.0.2.60")


@pytest.fixture
def context(certificate):
    return server_context(certificate, ["dot"])


@pytest.fixture
def resolve(client, authority):
    """A function that resolves NAME through these servers, trusting the tests' authority."""
    return lambda *arguments, **options: client.resolve(NAME, "--ca-file", str(authority.file), *arguments, **options)


@pytest.fixture
def start(client, authority):
    """A function that begins to resolve NAME again and again; `finish` gives what came of it."""
    return lambda *arguments: client.start("resolve", NAME, "--ca-file", str(authority.file), "--no-cache", "--format",
                                           "json", *arguments)


@pytest.fixture
def finish(client):
    return lambda process: client.finish(process, ["json"], time.monotonic())


def only_tls_left_the_client(lab, port, server=None):
    """No datagram, connections to that port alone, and each began with a TLS handshake (RFC 8446 section 5.1)."""
    began_well = server is None or (server.first_octets and all(o[:2] == b"\x16\x03" for o in server.first_octets))
    return not lab.link.datagrams() and {syn["port"] for syn in lab.link.syns()} == {port} and began_well


def has_the_answer(run):
    return run.exit_code == 0 and sorted(run.addresses) == sorted([V4, V6])


# ---- Real servers ---------------------------------------------------------------------------------------------------


@pytest.mark.rule("DNS-05")
@pytest.mark.parametrize("peer", PEERS)
def test_dot_is_spoken_with_real_servers(lab, request, certificate, resolve, peer):
    request.getfixturevalue(peer)(HOSTS, certificate=certificate)
    run = resolve(f"@tls://{PEERS[peer]}#{SERVER}")
    assert has_the_answer(run), run
    assert {(q.transport, q.upstream) for q in run.queries} == {("tls", f"tls://{PEERS[peer]}:853#{SERVER}")}
    assert len(lab.link.syns(853)) == 1 and only_tls_left_the_client(lab, 853)


@pytest.mark.rule("DNS-06")
@pytest.mark.parametrize("peer", PEERS)
@pytest.mark.parametrize("how", ["", "?get"], ids=["post", "get"])
def test_doh_is_spoken_with_real_servers(lab, request, certificate, resolve, peer, how):
    request.getfixturevalue(peer)(HOSTS, certificate=certificate)
    run = resolve(f"@https://{PEERS[peer]}/dns-query{how}")
    assert has_the_answer(run), run
    assert {(q.transport, q.upstream) for q in run.queries} == {("https", f"https://{PEERS[peer]}:443/dns-query")}
    assert len(lab.link.syns(443)) == 1 and only_tls_left_the_client(lab, 443)


@pytest.mark.rule("DNS-06")
@pytest.mark.parametrize("how, method", [("", "POST"), ("?get", "GET")])
def test_the_age_that_a_web_cache_gives_is_taken_off_the_ttl(scripted, nginx, certificate, resolve, how, method):
    origin = nginx(scripted(ANSWERS), certificate=certificate, age=100)
    run = resolve(f"@https://192.0.2.58/old{how}")
    assert has_the_answer(run), run
    assert {q["ttl_s"] for q in run.story.document["trace"]["queries"]} == {200}, "of 300"
    assert origin.requests == {f"{method} /dns-query": 2}


@pytest.mark.rule("DNS-08")
def test_unbound_sees_its_sessions_resumed(unbound, certificate, start, finish):
    server = unbound(HOSTS, certificate=certificate, idle_ms=200)
    run = finish(start(f"@tls://192.0.2.53#{SERVER}", "--count", "4", "--interval", "600ms"))
    assert run.exit_code == 0 and all(story.succeeded for story in run.stories), run
    statistics = server.statistics()
    assert (statistics["num.query.tls"], statistics["num.query.tls.resume"]) == ("8", "6"), (
        "two questions on each of four connections that unbound closed when idle; all but one resumed a session")


# ---- What a web server in front does --------------------------------------------------------------------------------


@pytest.mark.rule("DNS-07")
@pytest.mark.parametrize("path, reason", [
    ("/moved", 'HTTP status 302, a redirect to "https://192.0.2.58/dns-query", and redirects are not followed'),
    ("/missing", "HTTP status 404: look at the path in its URL"),
    ("/broken", "HTTP status 500"),
    ("/page", 'the content type "text/html", not application/dns-message'),
    ("/oversized", "its answer is longer than 65,535 octets"),
    ("/garbage", "its answer is none to the question"),
])
def test_what_is_no_answer_to_doh_is_an_error_that_says_so_at_once(lab, scripted, nginx, certificate, resolve, path,
                                                                   reason):
    origin = nginx(scripted(ANSWERS), certificate=certificate)
    run = resolve(f"@https://192.0.2.58{path}")
    assert run.exit_code == 6 and run.took_ms < 1000, run
    assert run.error["code"] == "upstream_failed" and reason in run.error["message"] and reason in run.stderr
    assert {(q.transport, q.outcome) for q in run.queries} == {("https", "unreachable")}
    assert not origin.requests["POST /dns-query"] and only_tls_left_the_client(lab, 443)


@pytest.mark.rule("DNS-07")
def test_a_doh_server_that_never_answers_costs_its_time_and_no_more(scripted, nginx, certificate, resolve):
    nginx(scripted(ANSWERS), certificate=certificate)
    run = resolve("@https://192.0.2.58/slow", "--timeout", "1s")
    assert run.exit_code == 28 and 1000 <= run.took_ms < 2000, run


@pytest.mark.rule("DNS-07")
def test_a_doh_server_that_says_goodbye_now_and_then_costs_no_answer(lab, scripted, nginx, certificate, many_names):
    """With 100 questions at once, and GOAWAY after 20 on each connection, some are sent on more than once."""
    origin = nginx(scripted({("*", "A"): a(V4)}), certificate=certificate,
                   settings="keepalive_requests 20; http2_max_concurrent_streams 4;")
    names = [f"n{i}.example.test" for i in range(100)]
    done = lab.run("client", [str(many_names), f"https://192.0.2.58/dns-query?pin={pin_of(certificate)}", "4", "5000",
                              *names])
    assert done.stdout.count(" ok ") == 100, done
    assert origin.requests == {"POST /dns-query": 100}
    assert 5 <= len(lab.link.syns(443)) <= 10


@pytest.mark.rule("DNS-07")
def test_a_doh_server_with_one_stream_is_asked_one_thing_at_a_time(lab, scripted, nginx, certificate, resolve):
    nginx(scripted(ANSWERS), certificate=certificate, settings="http2_max_concurrent_streams 1;")
    run = resolve(DOH, "--count", "5", "--no-cache")
    assert has_the_answer(run) and all(story.succeeded for story in run.stories), run
    assert len(lab.link.syns(443)) == 1


# ---- Connections ----------------------------------------------------------------------------------------------------


@pytest.mark.rule("DNS-03")
def test_a_thousand_questions_on_one_tls_connection_are_answered_last_first(lab, dot, context, certificate, many_names):
    server = dot({("*", "A"): a(V4)}, context=context)
    server.backlog = 1000
    names = [f"n{i}.example.test" for i in range(1000)]
    done = lab.run("client", [str(many_names), f"tls://192.0.2.60?pin={pin_of(certificate)}", "4", "5000", *names])
    assert done.stdout.count(" ok ") == 1000, done.stdout[:1000]
    assert len({q.id for q in server.queries}) == len(server.queries) == 1000
    assert server.handshakes == 1 and only_tls_left_the_client(lab, 853, server)


@pytest.mark.rule("DNS-03")
@pytest.mark.parametrize("how", ["close", "half"])
def test_a_tls_server_that_closes_after_each_answer_costs_no_failure(dot, context, resolve, how):
    server = dot(ANSWERS, context=context)
    server.after_reply = how
    run = resolve(DOT, "--count", "4", "--no-cache")
    assert run.exit_code == 0 and all(len(story.addresses) == 2 for story in run.stories), run
    assert server.resumed == [False] + [True] * 7, "one connection an answer, each with the session of an earlier one"


@pytest.mark.rule("DNS-04")
def test_a_tls_server_that_stops_inside_an_answer_is_asked_again_on_another_connection(dot, context, resolve):
    server = dot(ANSWERS, context=context)
    server.mangle, server.after_reply = lambda framed: framed[:len(framed) // 2], "mute"

    def mend(query):
        if server.handshakes > 1:
            server.mangle, server.after_reply = lambda framed: framed, None
        return a(V4)

    server.answers[(NAME, "A")] = mend
    run = resolve(DOT)
    assert has_the_answer(run), run
    assert "timed_out" in {q.outcome for q in run.queries}
    assert server.handshakes == 2 and 2000 <= run.took_ms < 3000


@pytest.mark.rule("DNS-04")
def test_a_question_without_an_answer_does_not_hold_up_others_over_tls(lab, dot, context, certificate, many_names):
    names = [f"n{i}.example.test" for i in range(8)]
    server = dot({**{(name, "A"): a(V4) for name in names}, ("stuck.example.test", "*"): DROP},
                 context=context)
    done = lab.run("client", [str(many_names), f"tls://192.0.2.60?pin={pin_of(certificate)}", "4", "700",
                              "stuck.example.test", *names])
    lines = {line.split()[0]: line for line in done.stdout.splitlines()}
    for name in names:
        assert " ok " in lines[name] and float(lines[name].split()[-1]) < 500, done
    assert " ok " not in lines["stuck.example.test"] and server.handshakes == 1


@pytest.mark.rule("DNS-03", "DNS-08")
def test_a_tls_server_that_is_restarted_costs_no_answer_and_resumes_the_session(dot, context, start, finish):
    before = dot(ANSWERS, context=context)
    process = start(DOT, "--count", "6", "--interval", "200ms")
    before.wait_for(4)
    time.sleep(0.1)
    before.close()
    after = dot(ANSWERS, context=context)
    run = finish(process)
    assert run.exit_code == 0 and [story.succeeded for story in run.stories] == [True] * 6, run
    assert (before.resumed, after.resumed) == ([False], [True])


@pytest.mark.rule("DNS-08")
def test_a_connection_that_the_server_found_idle_is_made_again_with_the_session(lab, dot, context, start, finish):
    server = dot(ANSWERS, context=context, idle=0.1)
    run = finish(start(DOT, "--count", "4", "--interval", "500ms"))
    assert run.exit_code == 0 and all(story.succeeded for story in run.stories), run
    assert {q.outcome for story in run.stories for q in story.queries} == {"answered"}
    assert server.resumed == [False, True, True, True] and only_tls_left_the_client(lab, 853, server)


@pytest.mark.rule("DNS-16")
def test_questions_over_tls_are_padded_and_others_are_not(dot, scripted, context, resolve):
    secured, plain = dot(ANSWERS, context=context), scripted(ANSWERS)
    assert has_the_answer(resolve(DOT)) and has_the_answer(resolve("@192.0.2.60"))
    assert {len(q.raw) for q in secured.queries} == {128}, "RFC 8467 section 4.1"
    assert all(12 in q.edns_options for q in secured.queries)
    assert all(12 not in q.edns_options and len(q.raw) < 128 for q in plain.queries)


# ---- Names of servers -----------------------------------------------------------------------------------------------


@pytest.mark.rule("DNS-10")
@pytest.mark.parametrize("flags", [["--bootstrap", "192.0.2.61"], []], ids=["bootstrap", "resolv.conf"])
def test_a_server_given_by_name_is_looked_up_elsewhere_and_never_through_itself(lab, dot, scripted, context, resolve,
                                                                               flags):
    lab.write_resolv_conf("192.0.2.99" if flags else "192.0.2.61")
    server, bootstrap = dot(ANSWERS, context=context), scripted({(SERVER, "A"): a("192.0.2.60")}, host="192.0.2.61")
    run = resolve(f"@tls://{SERVER}", *flags)
    assert has_the_answer(run), run
    assert {q.upstream for q in run.queries} == {f"tls://{SERVER}:853"}
    assert {q.name for q in bootstrap.queries} == {SERVER} and {q.name for q in server.queries} == {NAME}
    assert {d["address"] for d in lab.link.datagrams()} == {"192.0.2.61"}


@pytest.mark.rule("DNS-10")
def test_a_host_that_is_offline_at_the_start_recovers_by_itself(lab, dot, scripted, context, start, finish):
    """Also from what was tried in vain: nothing of it is held against the servers for longer than a moment."""
    dot(ANSWERS, context=context)
    scripted({(SERVER, "A"): a("192.0.2.60")}, host="192.0.2.61")
    lab.take_client_offline()
    process = start(f"@tls://{SERVER}", "--bootstrap", "192.0.2.61", "--timeout", "1s", "--count", "12", "--interval",
                    "500ms")
    try:
        time.sleep(1.5)
    finally:
        lab.bring_client_online()
    run = finish(process)
    ended_well = [story.succeeded for story in run.stories]
    assert not ended_well[0] and ended_well[-5:] == [True] * 5, run


# ---- Who answers ----------------------------------------------------------------------------------------------------

GOOD_PIN, BAD_PIN = "?pin={pin}", "?pin=sha256-" + "A" * 43 + "="
WRONG = {
    "name": (["other.test"], {}, f"#{SERVER}", f'is for "other.test", not for "{SERVER}"'),
    "expired": ([SERVER], {"days": -1}, f"#{SERVER}", "expired at"),
    "self-signed": ([SERVER], {"self_signed": True}, f"#{SERVER}", "is self-signed, and not trusted"),
    "address": (["192.0.2.99"], {}, "", 'is for "192.0.2.99", not for 192.0.2.60'),
    "pin": ([SERVER], {}, BAD_PIN, "none of the pins"),
}


@pytest.mark.rule("SEC-08")
@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("scheme, port", [("tls", 853), ("https", 443)])
def test_who_has_the_wrong_certificate_is_told_nothing(lab, dot, scripted, authority, resolve, wrong, scheme, port):
    """Neither inside TLS nor, in its despair, to the same address in the clear."""
    names, options, suffix, reason = WRONG[wrong]
    plain = scripted(ANSWERS)
    server = dot(ANSWERS, context=server_context(authority.issue(*names, **options), ["dot", "h2"]), port=port)
    host = "192.0.2.60"
    if scheme == "https" and suffix.startswith("#"):
        host, suffix = SERVER, "?ip=192.0.2.60"
    run = resolve(f"@{scheme}://{host}{suffix}")
    assert run.exit_code == 6 and run.error["code"] == "upstream_failed", run
    assert reason in run.error["message"] and reason in run.stderr
    assert {(q.transport, q.outcome) for q in run.queries} == {(scheme, "unreachable")}
    assert server.handshakes == 0 and not server.queries and not plain.queries
    assert only_tls_left_the_client(lab, port, server)


@pytest.mark.rule("SEC-08")
def test_the_story_says_over_what_and_why_not(dot, authority, client):
    dot(ANSWERS, context=server_context(authority.issue(SERVER, days=-1), ["dot"]))
    run = client.run("resolve", NAME, DOT, "-4", "--ca-file", str(authority.file), "--trace")
    assert run.exit_code == 6
    assert (f"no DNS answer from tls://192.0.2.60:853#{SERVER} (tls): could not connect to 192.0.2.60:853: "
            "the certificate of 192.0.2.60:853 expired at 20") in run.stdout, run


@pytest.mark.rule("SEC-08")
@pytest.mark.parametrize("names, options, suffix", [
    ([SERVER], {}, f"#{SERVER}"), (["192.0.2.60"], {}, ""), (["other.test"], {"self_signed": True}, GOOD_PIN),
], ids=["name", "address", "pin"])
def test_a_server_with_the_right_certificate_is_told_everything_inside_tls(lab, dot, authority, resolve, names, options,
                                                                           suffix):
    own = authority.issue(*names, **options)
    server = dot(ANSWERS, context=server_context(own, ["dot"]))
    assert has_the_answer(resolve(f"@tls://192.0.2.60{suffix.format(pin=pin_of(own))}"))
    assert only_tls_left_the_client(lab, 853, server)


@pytest.mark.rule("SEC-08")
def test_an_opportunistic_server_may_be_anybody_but_is_not_asked_in_the_clear(lab, dot, scripted, authority, resolve):
    plain = scripted(ANSWERS)
    own = authority.issue("other.test", self_signed=True)
    server = dot(ANSWERS, context=server_context(own, ["dot"]))
    assert has_the_answer(resolve("@tls-opportunistic://192.0.2.60"))
    lab.refuse("192.0.2.60", port=853)
    assert resolve("@tls-opportunistic://192.0.2.60").exit_code == 6
    assert not plain.queries and only_tls_left_the_client(lab, 853, server)
