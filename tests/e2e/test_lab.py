"""The lab itself: what the other tests rely on, shown with plain sockets and getent."""

import errno
import socket
import struct
import time
from pathlib import Path

import pytest
from backend import PORT
from dns_server import encode_name
from network_lab import in_namespace

V4, V6 = "203.0.113.1", "2001:db8:b::1"


def connect(address, timeout=2.0):
    """A plain connect from the client: milliseconds and errno."""
    with in_namespace("client"):
        sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    with sock:
        sock.settimeout(timeout)
        before = time.monotonic()
        code = sock.connect_ex((address, PORT))
        return (time.monotonic() - before) * 1000, code


@pytest.mark.parametrize("address", [V4, V6])
def test_the_link_delays_by_the_round_trip_time_of_the_address(lab, backend, address):
    lab.link.set(address, rtt_ms=40)
    times = sorted(connect(address)[0] for _ in range(15))
    assert times[0] >= 40
    assert times[7] < 60, f"the median of 40 ms round trips took {times[7]:.1f} ms"
    other = sorted(connect(address + "2")[0]
                   for _ in range(15))
    assert other[7] < 20, "another address is not delayed"


@pytest.mark.parametrize("address", [V4, V6])
def test_a_dropped_address_never_answers_and_its_syn_is_seen(lab, backend, address):
    lab.drop(address)
    took, code = connect(address, timeout=0.3)
    assert code == errno.EAGAIN and took >= 300
    assert [s["address"] for s in lab.link.syns(PORT)] == [address]
    assert backend.accepted[address] == 0


@pytest.mark.parametrize("address", [V4, V6])
def test_a_held_address_answers_when_released(lab, backend, address):
    lab.link.set(address, hold=True)
    assert connect(address, timeout=0.2)[1] == errno.EAGAIN
    lab.link.set(address)
    assert connect(address)[1] == 0


@pytest.mark.parametrize("how, code4, code6", [
    ("refuse", errno.ECONNREFUSED, errno.ECONNREFUSED),
    ("prohibit", errno.EHOSTUNREACH, errno.EACCES),
    ("unreachable", errno.ENETUNREACH, errno.ENETUNREACH),
])
def test_the_filter_rejects_with_the_errno_meant(lab, backend, how, code4, code6):
    getattr(lab, how)(V4, V6)
    lab.link.set(V4, V6, rtt_ms=20)
    for address, code in ((V4, code4), (V6, code6)):
        took, got = connect(address)
        assert errno.errorcode[got] == errno.errorcode[code]
        assert took >= 20


def test_the_backend_says_which_address_it_was_reached_on(lab, backend):
    for address in (V4, V6, "203.0.113.200", "2001:db8:b::beef"):
        with in_namespace("client"):
            sock = socket.create_connection((address, PORT), timeout=2)
        with sock:
            assert sock.recv(100) == f"{address}\n".encode()
        assert backend.accepted[address] == 1


def test_unbound_truncates_an_answer_of_64_addresses_and_gives_it_over_tcp(lab, unbound):
    unbound({"many.example.test": [f"203.0.113.{n}" for n in range(1, 65)]})
    query = struct.pack("!6H", 1, 0x0100, 1, 0, 0, 0) + encode_name("many.example.test") + struct.pack("!HH", 1, 1)
    with in_namespace("client"):
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        tcp = socket.create_connection(("192.0.2.53", 53), timeout=2)
    with udp, tcp:
        udp.settimeout(2)
        udp.sendto(query, ("192.0.2.53", 53))
        flags = struct.unpack("!H", udp.recv(1500)[2:4])[0]
        tcp.sendall(struct.pack("!H", len(query)) + query)
        answer = tcp.makefile("rb").read(2 + 12)
    assert flags & 0x0200, "TC"
    assert struct.unpack("!H", answer[8:10])[0] == 64, "ANCOUNT, after the length of two octets"


def test_getent_uses_the_resolv_conf_of_the_lab(lab, unbound):
    unbound({"one.example.test": [V4]})
    lab.write_resolv_conf("192.0.2.53")
    assert lab.run("client", ["getent", "ahostsv4", "one.example.test"]).stdout.startswith(V4)
    lab.write_hosts("203.0.113.99 one.example.test\n")
    assert lab.run("client", ["getent", "ahostsv4", "one.example.test"]).stdout.startswith("203.0.113.99")


def test_the_rest_of_etc_is_the_real_one(lab):
    assert "root" in Path("/etc/passwd").read_text()
    assert Path("/etc/os-release").exists(), "a relative link, on most systems"


def test_a_client_without_ipv6_gets_it_back(lab, backend):
    lab.take_client_v6()
    try:
        assert connect(V6)[1] == errno.ENETUNREACH
    finally:
        lab.give_client_v6()
    assert connect(V6)[1] == 0


def test_two_hundred_sockets_are_seen_as_two_hundred_ports(lab):
    with in_namespace("client"):
        sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(200)]
    for sock in sockets:
        sock.sendto(b"x" * 12, ("192.0.2.53", 53))
    for sock in sockets:
        sock.close()
    time.sleep(0.1)
    assert len({d["source_port"] for d in lab.link.datagrams()}) == 200
