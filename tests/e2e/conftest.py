"""The end-to-end tests run inside network namespaces of their own (support/network_lab.py): this starts pytest again
in there, as root or as an ordinary user. Where that cannot be, each test is skipped with the reason, or fails with it
where CI=true or LBRESOLVE_E2E=required.
"""

import socket
import sys
import tempfile
from pathlib import Path

import network_lab
import pytest
from backend import HEALTH_PORT, PORT, Backend, HealthPage
from certificates import Authority
from client import Client
from dns_server import DnsServer
from dnsdist_server import DnsdistServer
from dot_server import DotServer
from gdnsd_server import GdnsdServer
from http_origin import HttpOrigin
from kresd_server import KresdServer
from network_lab import CLIENT_V4, CLIENT_V6
from nginx_server import NginxServer
from pdns_server import PdnsServer
from program import compile_program, has_coroutines_of_asio
from server_process import find_program
from unbound_server import UnboundServer

HERE = Path(__file__).resolve().parent
_reason = None   # why there is no lab


def pytest_configure(config):
    global _reason
    config.addinivalue_line("markers", "asio_coroutines: needs Asio, and a compiler that has coroutines for it")
    if network_lab.is_inside() or config.option.collectonly:
        return
    _reason = network_lab.why_not()
    if _reason is None:
        config.pluginmanager.getplugin("capturemanager").stop_global_capturing()
        network_lab.start_inside(sys.orig_argv)


def pytest_collection_modifyitems(config, items):
    """The build leaves that example out too, and says so."""
    left_out = [item for item in items if item.get_closest_marker("asio_coroutines")]
    if left_out and not has_coroutines_of_asio():
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def pytest_report_header():
    return f"end to end: {'in namespaces of its own' if _reason is None else 'not possible, ' + _reason}"


@pytest.fixture(scope="session")
def whole_lab():
    if not network_lab.is_inside():
        network_lab.unavailable(_reason or "not inside namespaces")
    lab = network_lab.NetworkLab()
    yield lab
    lab.close()


@pytest.fixture
def lab(whole_lab):
    """Namespaces, wire and packet filter, as new for each test."""
    whole_lab.reset()
    yield whole_lab
    whole_lab.reset()


@pytest.fixture(scope="session")
def whole_backend(whole_lab):
    with network_lab.in_namespace("server"):
        backend = Backend(PORT, clients={CLIENT_V4, CLIENT_V6})
    yield backend
    backend.close()


@pytest.fixture
def backend(whole_backend, lab):
    """Greets on every server address, port 8080; nothing counted yet."""
    whole_backend.accepted.clear()
    return whole_backend


@pytest.fixture(scope="session")
def whole_health_page(whole_lab):
    with network_lab.in_namespace("server"):
        page = HealthPage(HEALTH_PORT)
    yield page
    page.close()


@pytest.fixture
def health_page(whole_health_page, lab):
    """What the DNS side's http checks see, on every server address: all are well, until a test says otherwise."""
    whole_health_page.unwell.clear()
    return whole_health_page


@pytest.fixture
def real_server(lab):
    """A function that starts a DNS server of this class in the server's namespace, and waits until it answers."""
    running = []

    def start(kind, program, *arguments, address, **options):
        if find_program(program) is None:
            network_lab.unavailable(f"{program} is not installed")
        directory = Path(tempfile.mkdtemp(prefix=f"{program}-", dir=lab.directory))
        log = (directory / "log").open("wb")
        server = kind(*arguments, directory=directory, address=address, **options,
                      start=lambda command: lab.start("server", command, stdout=log, stderr=log))
        running.append((server, log))
        family = socket.AF_INET6 if ":" in server.address else socket.AF_INET
        with network_lab.in_namespace("server"):
            asking = socket.socket(family, socket.SOCK_DGRAM)
        with asking:
            try:
                server.wait_until_ready(asking)
            except (RuntimeError, TimeoutError) as failure:
                pytest.fail(f"{failure}\n{(directory / 'log').read_text(errors='replace')}")
        return server

    yield start
    for server, log in running:
        server.close()
        log.close()


@pytest.fixture
def unbound(real_server):
    """A function that starts a real unbound on 192.0.2.53, with the hosts given or in front of a `stub`."""
    return lambda hosts=(), address="192.0.2.53", **options: real_server(
        UnboundServer, "unbound", hosts, address=address, **options)


@pytest.fixture
def gdnsd(real_server):
    """A function that starts a real gdnsd on 192.0.2.54 with the resources given (support/gdnsd_server.py)."""
    return lambda resources, address="192.0.2.54", **options: real_server(
        GdnsdServer, "gdnsd", resources, address=address, **options)


@pytest.fixture
def pdns(real_server):
    """A function that starts a real PowerDNS on 192.0.2.55 with the LUA records given (support/pdns_server.py)."""
    return lambda records, address="192.0.2.55", **options: real_server(
        PdnsServer, "pdns_server", records, address=address, **options)


@pytest.fixture
def kresd(real_server):
    """A function that starts a real Knot Resolver on 192.0.2.56, over TLS and HTTPS too."""
    return lambda hosts, address="192.0.2.56", **options: real_server(
        KresdServer, "kresd", hosts, address=address, **options)


@pytest.fixture
def dnsdist(real_server):
    """A function that starts a real dnsdist on 192.0.2.57, over TLS and HTTPS too."""
    return lambda hosts, address="192.0.2.57", **options: real_server(
        DnsdistServer, "dnsdist", hosts, address=address, **options)


@pytest.fixture
def nginx(real_server, in_server):
    """A function that starts a real nginx on 192.0.2.58 in front of the DNS server given; gives what nginx asks."""
    def start(dns, address="192.0.2.58", **options):
        origin = in_server(HttpOrigin, dns, "127.0.0.1", 8053)
        real_server(NginxServer, "nginx", "127.0.0.1:8053", address=address, **options)
        return origin

    return start


@pytest.fixture
def in_server(lab):
    """A function that makes something in the server's namespace, which is closed after the test."""
    running = []

    def start(kind, *arguments, **options):
        with network_lab.in_namespace("server"):
            running.append(kind(*arguments, **options))
        return running[-1]

    yield start
    for server in running:
        server.close()


@pytest.fixture
def scripted(in_server):
    """A function that starts a scripted DNS server (support/dns_server.py), by default on 192.0.2.60 port 53."""
    return lambda answers=None, **options: in_server(
        DnsServer, answers, **{"host": "192.0.2.60", "port": 53, **options})


@pytest.fixture
def dot(in_server):
    """A function that starts a scripted DNS server behind TLS (support/dot_server.py), by default on 192.0.2.60."""
    return lambda answers=None, **options: in_server(
        DotServer, answers, **{"host": "192.0.2.60", "port": 853, **options})


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    """Whose certificates the command trusts with `--ca-file authority.file`."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def build_program(lbresolve_bin, tmp_path_factory):
    """A function that links a program of this folder against the library of the build under test."""
    def link(name):
        program = tmp_path_factory.mktemp("program") / name
        compiled = compile_program(HERE / f"{name}.cpp", program, lbresolve_bin)
        assert compiled.returncode == 0, compiled.stderr
        return program

    return link


@pytest.fixture(scope="session")
def many_names(build_program):
    return build_program("many_names")


@pytest.fixture(scope="session")
def connect_names(build_program):
    return build_program("connect_names")


@pytest.fixture(autouse=True)
def own_memory(monkeypatch, tmp_path):
    """Whatever a test starts keeps what it learns of addresses in a directory of that test."""
    state = tmp_path / "state"
    monkeypatch.setenv("XDG_STATE_HOME", str(state))
    return state


@pytest.fixture
def client(lab, lbresolve_bin):
    """The command under test, in the client's namespace."""
    client = Client(lab, lbresolve_bin)
    yield client
    client.close()
