"""aiohttp, httpx, requests, urllib3 and the standard library, each through lbresolve: real DNS, real TLS, and addresses
that are dead, refuse, or fail after they have accepted. Every request is a new connection.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from network_lab import in_namespace
from python_package import python_with_package
from timing import CAD
from tls_backend import TLS_PORT, Site, TlsBackend

pytestmark = pytest.mark.python_package

CLIENT = Path(__file__).with_name("adapter_client.py")
NAME = "api.example.test"
ADDRESSES = [f"203.0.113.{n}" for n in range(1, 5)]
PAGE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"

#: Those that tell the memory what comes of their connections; the standard library has no place to do so.
TELLING = ["aiohttp", "httpx", "httpx-async", "requests", "urllib3"]
LIBRARIES = [*TELLING, "patch_socket"]


@dataclass
class Requests:
    """What came of each, in their order."""

    ms: list[float]
    errors: list[str]
    seconds: float


@pytest.fixture
def sites(authority):
    """What each address does; all are well, until a test says otherwise."""
    certificate = authority.issue(NAME)
    return {address: Site(certificate) for address in ADDRESSES}


@pytest.fixture
def servers(lab, sites):
    with in_namespace("server"):
        servers = TlsBackend(sites, says=PAGE)
    yield servers
    servers.close()


@pytest.fixture
def fetch(lab, unbound, servers, authority, lbresolve_bin):
    """A function that fetches so many times through one library, in a process of its own."""

    def run(library, count, pause=0.0):
        lab.link.forget()
        servers.finished.clear()
        began = time.monotonic()
        url = f"https://{NAME}:{TLS_PORT}/"
        command = [python, CLIENT, library, url, count, authority.file, pause]
        ran = lab.run("client", [str(word) for word in command], timeout=60)
        told = [json.loads(line) for line in ran.stdout.splitlines()]
        assert ran.returncode == 0 and len(told) == count, ran
        return Requests([t["ms"] for t in told], [t["error"] for t in told if t["error"]], time.monotonic() - began)

    python = python_with_package(lbresolve_bin)
    unbound({NAME: ADDRESSES})
    lab.write_resolv_conf("192.0.2.53")
    return run


def syns_to(lab, address):
    return len([syn for syn in lab.link.syns(TLS_PORT) if syn["address"] == address])


def probes_in(requests):
    """How many connects in the background there may be: 1 % of all, one a second, and one each for begun ones."""
    return 0.01 * len(requests.ms) + requests.seconds + 2


@pytest.mark.rule("USE-04")
@pytest.mark.parametrize("library", LIBRARIES)
def test_one_request_of_200_waits_for_a_dead_address_and_none_fails(lab, fetch, servers, library):
    dead, refusing, *well = ADDRESSES
    lab.drop(dead, port=TLS_PORT)
    lab.refuse(refusing, port=TLS_PORT)
    for _ in range(3):   # a busy machine may be late by itself: one run without that is enough
        requests = fetch(library, 200)
        assert not requests.errors
        assert set(servers.finished) == set(well) and len(servers.finished) == 200
        assert 1 <= syns_to(lab, dead) <= 1 + probes_in(requests)
        waited = [i for i, ms in enumerate(requests.ms) if ms >= CAD]
        if len(waited) <= 1:
            return
    raise AssertionError(f"requests {waited} waited: {[requests.ms[i] for i in waited]} ms")


@pytest.mark.parametrize("library", TELLING)
def test_an_address_that_resets_connections_before_the_first_byte_is_avoided(lab, fetch, servers, sites, library):
    bad = sites[ADDRESSES[0]]
    bad.resets = True
    requests = fetch(library, 60)
    # It is found well again by connects in the background, and met once more, before it is ejected.
    met = servers.finished.count(ADDRESSES[0])
    assert 1 <= met <= 2 + requests.seconds / 5
    assert len(requests.errors) == (0 if library == "aiohttp" else met), "aiohttp asks once more by itself"


@pytest.mark.parametrize("library", TELLING)
def test_no_request_fails_where_one_address_has_the_wrong_certificate_and_it_is_avoided(
    lab, fetch, authority, sites, library
):
    sites[ADDRESSES[0]] = Site(authority.issue("other.test"))
    requests = fetch(library, 60)
    assert not requests.errors
    assert 1 <= syns_to(lab, ADDRESSES[0]) <= 1 + probes_in(requests)
