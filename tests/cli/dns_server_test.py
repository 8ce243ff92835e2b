"""The scripted DNS server is itself checked: a test is worth no more than the server it trusts."""

import socket
import struct
import time

from dns_server import DROP, DnsServer, Reply, a, cname, encode_name, read_zone, servfail


def ask(server, name, kind=1, edns=True, tcp=False, timeout=2.0):
    """One question; gives (rcode, answer count, the reply's bytes), or None in silence."""
    head = struct.pack("!6H", 0x1234, 0x0100, 1, 0, 0, 1 if edns else 0)
    data = head + encode_name(name) + struct.pack("!HH", kind, 1)
    if edns:
        data += b"\0" + struct.pack("!HHIH", 41, 1232, 0, 0)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM) as out:
        out.settimeout(timeout)
        out.connect((server.host, server.port))
        out.send(struct.pack("!H", len(data)) + data if tcp else data)
        try:
            reply = out.recv(65535)
        except socket.timeout:
            return None
    reply = reply[2:] if tcp else reply
    ident, flags, _, answers, _, _ = struct.unpack("!6H", reply[:12])
    assert ident == 0x1234
    return flags & 15, answers, reply


def test_answers_negatives_and_silence():
    answers = {("www.test", "A"): [a("192.0.2.1"), a("192.0.2.2")], ("alias.test", "CNAME"): cname("www.test"),
               ("slow.test", "A"): DROP, ("bad.test", "*"): servfail(ede=[(22, "why")])}
    with DnsServer(answers) as server:
        assert ask(server, "www.test")[:2] == (0, 2)
        assert ask(server, "WwW.test", tcp=True)[:2] == (0, 2)
        assert ask(server, "www.test", kind=28)[:2] == (0, 0)
        assert ask(server, "alias.test")[:2] == (0, 3)
        assert ask(server, "other.test")[:2] == (3, 0)
        rcode, _, raw = ask(server, "bad.test")
        assert rcode == 2 and b"why" in raw
        assert b"why" not in ask(server, "bad.test", edns=False)[2]
        assert ask(server, "slow.test", timeout=0.2) is None
        assert [(q.type, q.transport) for q in server.asked("www.test")] == [("A", "udp"), ("A", "tcp"), ("AAAA", "udp")]


def test_truncation_and_delay():
    with DnsServer({("big.test", "A"): [a(f"192.0.2.{i}") for i in range(200)],
                    ("late.test", "A"): Reply([a("192.0.2.1")], delay=0.2)}) as server:
        _, count, raw = ask(server, "big.test")
        assert count == 0 and raw[2] & 2, "TC is set"
        assert ask(server, "big.test", tcp=True)[1] == 200
        began = time.monotonic()
        assert ask(server, "late.test")[1] == 1
        assert time.monotonic() - began >= 0.2


def test_zone_text():
    found = read_zone("www.test 60 A 192.0.2.1  # a comment\nwww.test delay:0.5 A\nx.test drop *\ny.test rcode:refused A\n")
    assert found[("www.test", "A")].delay == 0.5 and len(found[("www.test", "A")].records) == 1
    assert found[("x.test", "*")].drop
    assert found[("y.test", "A")].rcode == "REFUSED"
