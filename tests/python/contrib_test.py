"""lbresolve.contrib on loopback: what its modules need, take, replace and tell. How they fare where addresses are dead
is in tests/e2e/test_adapters.py."""

import asyncio
import contextlib
import hashlib
import http.client
import pickle
import socket
import ssl
import subprocess
import sys
import threading

import aiohttp
import httpx
import lbresolve
import lbresolve.contrib.aiohttp
import lbresolve.contrib.httpx
import lbresolve.contrib.requests
import lbresolve.contrib.urllib3
import pytest
import requests
import trio
import urllib3
import uvloop
from certificates import Authority, server_context
from dns_server import DROP, a
from lbresolve.contrib import patch_socket
from lbresolve.contrib._feedback import Feedback

NAME = "api.example.test"
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture
def resolver(dns_server, empty_file):
    """Asks the scripted server, where NAME has two addresses; looks at nothing in the background."""
    dns_server.answers[(NAME, "A")] = [a("127.0.0.2"), a("127.0.0.3")]
    return lbresolve.Resolver(servers=[dns_server.address], hosts="", resolv_conf=empty_file, probing=False,
                              policy="in_order")


class Server:
    """Answers the n-th request of a connection with what `says(address, n)` gives: bytes, or None, which ends it."""

    def __init__(self, says, context=None):
        self._says, self._context = says, context
        self.requests = []   # the address of each
        self._listener = socket.create_server(("0.0.0.0", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self._serve, args=(self._listener.accept()[0],), daemon=True).start()

    def _serve(self, connection):
        address, count = connection.getsockname()[0], 0
        with contextlib.suppress(OSError), connection, self._wrap(connection) as stream:
            while stream.recv(65536):
                self.requests.append(address)
                count += 1
                answer = self._says(address, count)
                if answer is None:
                    return
                stream.sendall(answer)

    def _wrap(self, connection):
        return self._context.wrap_socket(connection, server_side=True) if self._context else connection

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def serve():
    running = []

    def start(says, context=None):
        running.append(Server(says, context))
        return running[-1]

    yield start
    for server in running:
        server.close()


def get_aiohttp(resolver, url, count, runs=asyncio.run):
    async def run():
        connector = lbresolve.contrib.aiohttp.TCPConnector(resolver=resolver)
        async with aiohttp.ClientSession(connector=connector) as session:
            for _ in range(count):
                with contextlib.suppress(aiohttp.ClientError):
                    async with session.get(url) as response:
                        await response.read()

    runs(run())


def get_aiohttp_uvloop(resolver, url, count):
    get_aiohttp(resolver, url, count, uvloop.run)


def get_httpx(resolver, url, count):
    with httpx.Client(transport=lbresolve.contrib.httpx.HTTPTransport(resolver=resolver)) as client:
        for _ in range(count):
            with contextlib.suppress(httpx.HTTPError):
                client.get(url)


def get_httpx_async(resolver, url, count, runs=lambda run: asyncio.run(run())):
    async def run():
        async with httpx.AsyncClient(transport=lbresolve.contrib.httpx.AsyncHTTPTransport(resolver=resolver)) as client:
            for _ in range(count):
                with contextlib.suppress(httpx.HTTPError):
                    await client.get(url)

    runs(run)


def get_httpx_uvloop(resolver, url, count):
    get_httpx_async(resolver, url, count, lambda run: uvloop.run(run()))


def get_httpx_trio(resolver, url, count):
    get_httpx_async(resolver, url, count, trio.run)


def get_requests(resolver, url, count):
    with requests.Session() as session:
        session.mount("http://", lbresolve.contrib.requests.HTTPAdapter(resolver=resolver))
        for _ in range(count):
            with contextlib.suppress(requests.RequestException):
                session.get(url)


def get_urllib3(resolver, url, count):
    pool = lbresolve.contrib.urllib3.PoolManager(resolver=resolver, retries=False)
    for _ in range(count):
        with contextlib.suppress(urllib3.exceptions.HTTPError):
            pool.request("GET", url)


ADAPTERS = [get_aiohttp, get_aiohttp_uvloop, get_httpx, get_httpx_async, get_httpx_uvloop, get_httpx_trio, get_requests,
            get_urllib3]


def states(resolver, port):
    return {h.endpoint.address: h.state for h in resolver.health() if h.endpoint.port == port}


@pytest.mark.parametrize("library", ["aiohttp", "httpx", "requests", "urllib3"])
def test_a_module_without_its_library_says_so_in_one_sentence(library):
    code = f"import sys; sys.modules[{library!r}] = None; import lbresolve.contrib.{library}"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    last = ran.stderr.splitlines()[-1]
    assert ran.returncode == 1
    assert last.startswith(f"ImportError: lbresolve.contrib.{library} needs {library} ") and "pip install" in last


def test_contrib_by_itself_needs_none_of_them():
    gone = [f"sys.modules[{library!r}] = None" for library in ("aiohttp", "httpx", "requests", "urllib3")]
    code = "\n".join(["import sys", *gone, "from lbresolve.contrib import patch_socket"])
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.rule("USE-04")
@pytest.mark.parametrize("get", ADAPTERS)
def test_requests_share_a_connection_and_it_leads_to_the_first_address(resolver, serve, dns_server, get):
    server = serve(lambda address, n: GOOD)
    get(resolver, f"http://{NAME}:{server.port}/", 3)
    assert server.requests == ["127.0.0.2"] * 3
    assert len(dns_server.queries) <= 2, "one lookup: A, and AAAA where this host has IPv6"
    assert states(resolver, server.port) == {"127.0.0.2": "healthy"}


@pytest.mark.parametrize("get", ADAPTERS)
def test_an_end_before_the_first_byte_makes_the_address_suspect(resolver, serve, get):
    server = serve(lambda address, n: GOOD if address == "127.0.0.3" else None)
    get(resolver, f"http://{NAME}:{server.port}/", 3)
    assert states(resolver, server.port) == {"127.0.0.2": "suspect", "127.0.0.3": "healthy"}
    assert server.requests.count("127.0.0.2") == 1 and server.requests[-1] == "127.0.0.3"


@pytest.mark.parametrize("get", ADAPTERS)
def test_an_end_of_a_connection_that_has_been_in_use_says_nothing(resolver, serve, get):
    server = serve(lambda address, n: GOOD if n == 1 else None)
    get(resolver, f"http://{NAME}:{server.port}/", 2)
    assert len(server.requests) >= 2 and states(resolver, server.port) == {"127.0.0.2": "healthy"}


def through_aiohttp(resolver, proxy):
    async def run():
        connector = lbresolve.contrib.aiohttp.TCPConnector(resolver=resolver)
        async with aiohttp.ClientSession(connector=connector) as session:
            await session.get("https://far.test/", proxy=proxy)

    asyncio.run(run())


def through_httpx(resolver, proxy):
    with httpx.Client(transport=lbresolve.contrib.httpx.HTTPTransport(resolver=resolver, proxy=proxy)) as client:
        client.get("https://far.test/")


def through_httpx_async(resolver, proxy):
    async def run():
        transport = lbresolve.contrib.httpx.AsyncHTTPTransport(resolver=resolver, proxy=proxy)
        async with httpx.AsyncClient(transport=transport) as client:
            await client.get("https://far.test/")

    asyncio.run(run())


def through_requests(resolver, proxy):
    with requests.Session() as session:
        session.mount("https://", lbresolve.contrib.requests.HTTPAdapter(resolver=resolver))
        session.get("https://far.test/", proxies={"https": proxy})


def through_urllib3(resolver, proxy):
    lbresolve.contrib.urllib3.ProxyManager(proxy, resolver=resolver).request("GET", "https://far.test/", retries=False)


@pytest.mark.parametrize("go", [through_aiohttp, through_httpx, through_httpx_async, through_requests, through_urllib3])
def test_a_proxy_is_looked_up_and_not_blamed_for_tls_behind_it(resolver, serve, go):
    proxy = serve(lambda address, n: b"HTTP/1.1 200 Connected\r\n\r\n" if n == 1 else None)
    with pytest.raises((aiohttp.ClientError, httpx.HTTPError, OSError, urllib3.exceptions.HTTPError)):
        go(resolver, f"http://{NAME}:{proxy.port}")
    assert proxy.requests and states(resolver, proxy.port) == {"127.0.0.2": "healthy"}


def test_aiohttp_keeps_its_fingerprints(resolver, serve, tmp_path):
    certificate = Authority(tmp_path).issue(NAME)
    server = serve(lambda address, n: GOOD, server_context(certificate))
    der = ssl.PEM_cert_to_DER_cert(certificate.read_text().partition("-----BEGIN PRIVATE")[0])

    async def get(digest):
        connector = lbresolve.contrib.aiohttp.TCPConnector(resolver=resolver)
        async with aiohttp.ClientSession(connector=connector) as session:
            async with session.get(f"https://{NAME}:{server.port}/", ssl=aiohttp.Fingerprint(digest)) as response:
                return await response.text()

    assert asyncio.run(get(hashlib.sha256(der).digest())) == "ok"
    with pytest.raises(aiohttp.ServerFingerprintMismatch):
        asyncio.run(get(bytes(32)))


def test_an_adapter_of_requests_can_be_pickled():
    copy = pickle.loads(pickle.dumps(lbresolve.contrib.requests.HTTPAdapter(pool_maxsize=3)))
    pool = copy.poolmanager.connection_from_url("https://www.example.com")
    assert pool.ConnectionCls.__mro__[1].__module__ == "lbresolve.contrib.urllib3" and pool.pool.maxsize == 3


@pytest.mark.parametrize("setting", ["use_dns_cache", "ttl_dns_cache", "happy_eyeballs_delay", "interleave"])
def test_aiohttp_has_no_say_in_what_the_resolver_decides(setting):
    async def make():
        lbresolve.contrib.aiohttp.TCPConnector(**{setting: 1})

    with pytest.raises(TypeError, match=f"{setting} is the resolver's to decide"):
        asyncio.run(make())


def test_aiohttps_own_connector_gets_addresses_in_order(resolver, serve):
    server = serve(lambda address, n: GOOD)
    resolver.report(("127.0.0.2", server.port), False)

    async def get():
        found = lbresolve.contrib.aiohttp.AsyncResolver(resolver=resolver)
        connector = aiohttp.TCPConnector(resolver=found, use_dns_cache=False, happy_eyeballs_delay=None)
        async with aiohttp.ClientSession(connector=connector) as session:
            async with session.get(f"http://{NAME}:{server.port}/") as response:
                return await response.text()

    assert asyncio.run(get()) == "ok" and server.requests == ["127.0.0.3"]


@pytest.mark.parametrize("get", ADAPTERS)
def test_a_name_that_does_not_exist_is_the_librarys_own_error(resolver, get):
    """Which `get` expects: anything else would come out of it."""
    get(resolver, "http://nothing.example.test/", 1)


def slowly_aiohttp(resolver, url):
    async def run():
        connector = lbresolve.contrib.aiohttp.TCPConnector(resolver=resolver)
        timeout = aiohttp.ClientTimeout(sock_connect=0.3)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            await session.get(url)

    asyncio.run(run())


def slowly_httpx(resolver, url):
    with httpx.Client(transport=lbresolve.contrib.httpx.HTTPTransport(resolver=resolver), timeout=0.3) as client:
        client.get(url)


def slowly_httpx_async(resolver, url):
    async def run():
        transport = lbresolve.contrib.httpx.AsyncHTTPTransport(resolver=resolver)
        async with httpx.AsyncClient(transport=transport, timeout=0.3) as client:
            await client.get(url)

    asyncio.run(run())


def slowly_requests(resolver, url):
    with requests.Session() as session:
        for scheme in ("http://", "https://"):
            session.mount(scheme, lbresolve.contrib.requests.HTTPAdapter(resolver=resolver))
        session.get(url, timeout=0.3)


SLOWLY = [(slowly_aiohttp, aiohttp.ConnectionTimeoutError), (slowly_httpx, httpx.ConnectTimeout),
          (slowly_httpx_async, httpx.ConnectTimeout), (slowly_requests, requests.ConnectTimeout)]


@pytest.mark.parametrize(("go", "timeout"), SLOWLY)
def test_a_lookup_that_takes_too_long_is_the_librarys_own_timeout(resolver, dns_server, go, timeout):
    dns_server.answers[("slow.test", "*")] = DROP
    with pytest.raises(timeout):
        go(resolver, "http://slow.test/")


@pytest.mark.parametrize(("go", "timeout"), SLOWLY)
def test_so_is_a_handshake_and_the_address_is_suspect_then(resolver, serve, go, timeout):
    server = serve(lambda address, n: b"")
    with pytest.raises((timeout, requests.ReadTimeout)):   # urllib3's word for it
        go(resolver, f"https://{NAME}:{server.port}/")
    assert states(resolver, server.port)["127.0.0.2"] == "suspect"


@pytest.mark.parametrize("call", [
    (None, 80), ("127.0.0.1", 80), ("::1", "https"), ("127.1", 80), ("localhost", None, 0, 0, 0, socket.AI_NUMERICHOST),
    ("192.0.2.1", 80, socket.AF_INET, socket.SOCK_STREAM, 0, socket.AI_CANONNAME)])
def test_a_patched_getaddrinfo_leaves_what_is_no_lookup_to_the_system(resolver, call):
    def outcome():
        try:
            return socket.getaddrinfo(*call)
        except OSError as failure:
            return repr(failure)

    expected = outcome()
    with patch_socket(resolver):
        assert outcome() == expected


def test_a_patched_getaddrinfo_gives_addresses_in_order(resolver):
    with patch_socket(resolver):
        rows = socket.getaddrinfo(NAME, "https", type=socket.SOCK_STREAM, flags=socket.AI_CANONNAME)
        with pytest.raises(socket.gaierror):
            socket.getaddrinfo(NAME, 443, socket.AF_INET6)
        with pytest.raises(socket.gaierror):
            socket.getaddrinfo("nothing.example.test", 443)
    tcp = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    assert rows == [(*tcp, NAME, ("127.0.0.2", 443)), (*tcp, "", ("127.0.0.3", 443))]


def test_patched_sockets_connect_what_the_standard_library_connects_until_the_block_ends(resolver, serve):
    server = serve(lambda address, n: GOOD)
    before = socket.create_connection, socket.getaddrinfo

    async def stream():
        reader, writer = await asyncio.open_connection(NAME, server.port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        line = await reader.readline()
        writer.close()
        return line

    with pytest.raises(KeyboardInterrupt), patch_socket(resolver):
        for settings in ({}, {"timeout": 5}):
            connection = http.client.HTTPConnection(NAME, server.port, **settings)
            connection.request("GET", "/")
            assert connection.getresponse().read() == b"ok"
            assert connection.sock.gettimeout() == settings.get("timeout")
            connection.close()
        assert asyncio.run(stream()) == b"HTTP/1.1 200 OK\r\n"
        raise KeyboardInterrupt
    assert (socket.create_connection, socket.getaddrinfo) == before
    assert server.requests == ["127.0.0.2"] * 3


def test_a_second_failure_in_a_row_ejects_though_connections_came_about_in_between(resolver, serve):
    server = serve(lambda address, n: GOOD)
    with resolver.connect((NAME, server.port)) as made:
        at = made.endpoint
    feedback = Feedback(resolver)
    feedback.failed(at)
    assert states(resolver, server.port)[at.address] == "suspect"
    resolver.report(at, True)
    assert states(resolver, server.port)[at.address] == "healthy"
    feedback.failed(at)
    assert states(resolver, server.port)[at.address] == "ejected"


def test_a_word_from_the_server_makes_the_next_failure_the_first_again(resolver, serve):
    server = serve(lambda address, n: GOOD)
    with resolver.connect((NAME, server.port)) as made:
        at = made.endpoint
    feedback = Feedback(resolver)
    feedback.failed(at)
    feedback.answered(at)
    feedback.failed(at)
    assert states(resolver, server.port)[at.address] == "suspect"
