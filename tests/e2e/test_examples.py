"""USE-09: the programs of docs/examples, as they were built, against servers of which some are dead.

libcurl fetches from a real HTTP server. What libpq and gRPC connect to is scripted: the one answers the startup packet
as PostgreSQL does for a user that it trusts, the other sends the first frame of HTTP/2, which is all that a channel
waits for.
"""

import os
from pathlib import Path

import network_lab
import pytest
from backend import HEALTH_PORT, PORT
from dns_server import a, aaaa, nodata
from places import NAME, TARGET, v4, v6
from stream_service import StreamService, receive_exactly

POSTGRESQL, GRPC = 5432, 50051
pytestmark = pytest.mark.rule("USE-09")


@pytest.fixture
def example(lab, lbresolve_bin):
    """A function that runs an example in the client's namespace and gives its run, ended."""
    folder = Path(os.environ.get("LBRESOLVE_BUILD_DIR", Path(lbresolve_bin).parents[1])) / "docs" / "examples"

    def run(name, *arguments):
        if not (folder / name).exists():
            network_lab.unavailable(f"example {name} was not built: what it shows is not installed")
        return lab.run("client", [folder / name, *arguments])

    return run


@pytest.fixture
def names(lab, scripted):
    """A function that gives the name its addresses; gone.example.test has none."""

    def give(ipv4, ipv6=()):
        scripted({(NAME, "A"): [a(x) for x in ipv4], (NAME, "AAAA"): [aaaa(x) for x in ipv6] or nodata(),
                  ("gone.example.test", "A"): nodata(), ("gone.example.test", "AAAA"): nodata()}, host="192.0.2.53")
        lab.write_resolv_conf("192.0.2.53")

    return give


@pytest.fixture
def half_dead(lab, backend, names):
    """Two of three addresses refuse; gives the third."""
    names(v4(2), v6(1))
    lab.refuse(v6(1)[0], v4(2)[0])
    return v4(2)[1]


def test_blocking(half_dead, example):
    ran = example("blocking", TARGET)
    assert (ran.returncode, ran.stdout) == (0, f"connected to {half_dead}:{PORT}\nit says {half_dead}\n"), ran


def test_a_blocking_connect_that_fails_says_why(names, example):
    names(v4(1))
    ran = example("blocking", f"gone.example.test:{PORT}")
    assert ran.returncode == 1 and "gone.example.test" in ran.stderr, ran


def test_callbacks(half_dead, example):
    ran = example("callbacks", TARGET, f"gone.example.test:{PORT}", TARGET)
    lines = ran.stdout.splitlines()
    assert ran.returncode == 0 and len(lines) == 3, ran
    assert lines.count(f"{TARGET}: {half_dead}:{PORT}") == 2
    assert sum(line.startswith(f"gone.example.test:{PORT}: ") for line in lines) == 1


def test_a_loop_around_poll(half_dead, example):
    ran = example("poll_loop", TARGET)
    assert (ran.returncode, ran.stdout) == (0, f"{half_dead}:{PORT} says {half_dead}\n"), ran
    assert example("poll_loop", f"gone.example.test:{PORT}").returncode == 1


def test_asio_with_callbacks(half_dead, example):
    ran = example("asio_callbacks", TARGET)
    assert (ran.returncode, ran.stdout) == (0, f"connected to {half_dead}:{PORT}\nit says {half_dead}\n"), ran


def test_asio_gives_up_when_it_is_told_to(lab, backend, names, example):
    names(v4(1))
    lab.drop(v4(1)[0])
    ran = example("asio_callbacks", TARGET)
    assert (ran.returncode, ran.stdout) == (0, "it took too long\n"), ran


@pytest.mark.asio_coroutines
def test_asio_with_coroutines(half_dead, example):
    ran = example("asio_coroutines", TARGET, f"gone.example.test:{PORT}", TARGET)
    lines = ran.stdout.splitlines()
    assert ran.returncode == 0 and len(lines) == 3, ran
    assert lines.count(f"{TARGET}: {half_dead}:{PORT} says {half_dead}") == 2


def test_libcurl(half_dead, health_page, example):
    ran = example("with_libcurl", f"http://{NAME}:{HEALTH_PORT}/health")
    assert ran.returncode == 0, ran
    entry, served = ran.stdout.splitlines()
    host, port, addresses = entry.split(":", 2)
    assert (host, port) == (NAME, str(HEALTH_PORT))
    assert sorted(addresses.split(",")) == sorted([*v4(2), f"[{v6(1)[0]}]"])
    assert served == f"served by {half_dead}"


def trust(connection):
    """The start of a conversation with PostgreSQL (chapter "Message Flow" of its documentation)."""
    while True:
        length = int.from_bytes(receive_exactly(connection, 4), "big")
        if int.from_bytes(receive_exactly(connection, length - 4)[:4], "big") == 3 << 16:
            break
        connection.sendall(b"N")  # neither TLS nor GSSAPI
    connection.sendall(b"R\0\0\0\x08\0\0\0\0" b"Z\0\0\0\x05I")
    connection.recv(1)


def test_libpq(half_dead, in_server, example):
    service = in_server(StreamService, POSTGRESQL, trust)
    ran = example("with_libpq", NAME, "dbname=shop user=shop")
    assert ran.returncode == 0, ran
    conninfo, connected = ran.stdout.splitlines()
    host, hostaddr, port = (word.split("=")[1].split(",") for word in conninfo.split())
    assert host == [NAME] * 3 and port == [str(POSTGRESQL)] * 3 and sorted(hostaddr) == sorted([*v4(2), *v6(1)])
    assert connected == f"{NAME} at {half_dead} port {POSTGRESQL}"
    assert dict(service.served) == {half_dead: 1}


def first_frame(connection):
    """RFC 9113 section 3.4: the client's preface, then SETTINGS from the server."""
    receive_exactly(connection, len(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
    connection.sendall(b"\0\0\0\x04\0\0\0\0\0")
    while connection.recv(4096):
        pass


@pytest.mark.parametrize("ipv6", [False, True])
def test_grpc(lab, names, in_server, example, ipv6):
    addresses = v6(2) if ipv6 else v4(2)
    names([] if ipv6 else addresses, addresses if ipv6 else [])
    lab.refuse(addresses[0])
    service = in_server(StreamService, GRPC, first_frame)
    ran = example("with_grpc", f"{NAME}:{GRPC}")
    assert ran.returncode == 0, ran
    target, state = ran.stdout.splitlines()
    scheme, listed = target.split(":", 1)
    wanted = [f"[{x}]:{GRPC}" if ipv6 else f"{x}:{GRPC}" for x in addresses]
    assert scheme == ("ipv6" if ipv6 else "ipv4") and sorted(listed.split(",")) == sorted(wanted)
    assert state == "connected" and list(service.served) == [addresses[1]]
