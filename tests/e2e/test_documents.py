"""USE-01: what the documents tell people to type is typed here, and their programs are compiled and run.

In the lab every name has addresses and something listens behind them, so the snippets run as they stand.
"""

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from backend import Backend
from certificates import Authority
from dns_server import a, aaaa
from network_lab import in_namespace
from program import compile_program, needed_libraries
from python_package import python_with_package
from tls_backend import Site, TlsBackend

SOURCE = Path(__file__).resolve().parents[2]
DOCUMENTS = [SOURCE / "README.md", *sorted((SOURCE / "docs").glob("*.md"))]
IPV4 = ["203.0.113.1", "203.0.113.2"]
SPEAKS_TLS = "ready::tls"
FETCHES = "https://www.example.com"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)

# What a line of a shell block may begin with, besides `make`, `lbresolve` and the simulator, which are checked below.
FLEET = "build/dev/tests/fleet"
OTHER_COMMANDS = {"cmake", "tests/run.py", "build/dev/tests/core_tests", "tests/sim/balancing.py", "apt-get",
                  "dpkg-buildpackage", "conan"}


def blocks(language):
    found = [(path.name, number, body) for path in DOCUMENTS
             for number, (kind, body) in enumerate(BLOCK.findall(path.read_text()), 1) if kind == language]
    return [pytest.param(body, id=f"{name}-{number}", marks=[pytest.mark.asio_coroutines] if "<asio.hpp>" in body else [])
            for name, number, body in found]


def commands(program=None):
    lines = [(param.id, line) for param in blocks("sh") for line in param.values[0].splitlines() if line]
    return [pytest.param(line, id=f"{name}: {line}") for name, line in lines
            if program is None or shlex.split(line)[0] == program]


@pytest.fixture
def names(lab, scripted):
    """Every name has the same addresses."""
    addresses = {("*", "A"): [a(address) for address in IPV4], ("*", "AAAA"): [aaaa("2001:db8:b::1")]}
    scripted(addresses, host="192.0.2.53")
    lab.write_resolv_conf("192.0.2.53")


@pytest.fixture
def internet(names):
    """Each address listens on the ports that the documents use."""
    with in_namespace("server"):
        backend = Backend(443)
    yield
    backend.close()


@pytest.fixture
def run_program(lab, lbresolve_bin, tmp_path):
    """A function that compiles a program and runs it, with variables of the environment."""

    def run(program, **environment):
        (tmp_path / "app.cpp").write_text(program)
        done = compile_program(tmp_path / "app.cpp", tmp_path / "app", lbresolve_bin, "-Wall", "-Werror")
        assert done.returncode == 0, done.stderr
        ran = lab.run("client", ["env", *(f"{k}={v}" for k, v in environment.items()), str(tmp_path / "app")])
        assert ran.returncode == 0, ran
        return ran

    return run


@pytest.mark.rule("USE-01")
@pytest.mark.parametrize("program", [p for p in blocks("cpp") if SPEAKS_TLS not in p.values[0]])
def test_a_program_compiles_and_runs(internet, run_program, lbresolve_bin, program):
    if "state_file" in program and "sqlite" not in needed_libraries(lbresolve_bin):
        pytest.skip("this build keeps no state file")
    run_program(program)


@pytest.mark.rule("USE-01")
@pytest.mark.parametrize("program", [p for p in blocks("cpp") if SPEAKS_TLS in p.values[0]])
def test_a_program_that_speaks_tls_compiles_and_runs(names, run_program, tmp_path, program):
    authority = Authority(tmp_path)
    site = Site(authority.issue("www.example.com"), ["http/1.1"])
    with in_namespace("server"):
        backend = TlsBackend(dict.fromkeys(IPV4, site), 443, b"HTTP/1.1 204 No Content\r\n\r\n")
    ran = run_program(program, SSL_CERT_FILE=authority.file)
    backend.close()
    assert "204 No Content" in ran.stdout


@pytest.fixture
def run_python(lab, lbresolve_bin):
    """A function that runs a Python program, with variables of the environment."""

    def run(program, **environment):
        python = python_with_package(lbresolve_bin)
        variables = [f"{k}={v}" for k, v in environment.items()]
        ran = lab.run("client", ["env", *variables, str(python), "-c", program])
        assert ran.returncode == 0 and not ran.stderr, ran
        return ran

    return run


@pytest.mark.python_package
@pytest.mark.rule("USE-01")
@pytest.mark.parametrize("program", [p for p in blocks("python") if FETCHES not in p.values[0]])
def test_a_python_program_runs(internet, run_python, program):
    run_python(program)


@pytest.mark.python_package
@pytest.mark.rule("USE-01")
@pytest.mark.parametrize("program", [p for p in blocks("python") if FETCHES in p.values[0]])
def test_a_python_program_fetches(names, run_python, tmp_path, program):
    authority = Authority(tmp_path)
    site = Site(authority.issue("www.example.com"))
    with in_namespace("server"):
        backend = TlsBackend(dict.fromkeys(IPV4, site), 443, b"HTTP/1.1 204 No Content\r\n\r\n")
    ran = run_python(program, SSL_CERT_FILE=authority.file, REQUESTS_CA_BUNDLE=authority.file)
    backend.close()
    assert "204" in ran.stdout


@pytest.mark.rule("USE-01")
@pytest.mark.parametrize("line", commands("lbresolve"))
def test_a_command_line_works(lab, internet, lbresolve_bin, line):
    ran = lab.run("client", [lbresolve_bin, *shlex.split(line)[1:]])
    assert ran.returncode == 0 and ran.stdout, ran


@pytest.mark.rule("USE-01")
@pytest.mark.parametrize("line", commands("make"))
def test_a_make_target_exists(line):
    targets = [word for word in shlex.split(line)[1:] if "=" not in word]
    makefile = (SOURCE / "Makefile").read_text()
    assert targets and all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)


@pytest.mark.parametrize("line", commands())
def test_no_command_of_the_documents_goes_unchecked(line):
    assert shlex.split(line)[0] in OTHER_COMMANDS | {"make", "lbresolve", FLEET}


@pytest.mark.parametrize("line", commands(FLEET))
def test_the_simulator_knows_what_the_documents_ask_of_it(lbresolve_bin, line):
    fleet = Path(os.environ.get("LBRESOLVE_BUILD_DIR", Path(lbresolve_bin).parents[1])) / "tests" / "fleet"
    told = subprocess.run([fleet, "--list"], capture_output=True, text=True, check=True, timeout=60).stdout
    words = shlex.split(line)
    for option, value in zip(words, words[1:]):
        if option in ("--scenario", "--chooser"):
            assert all(name in told for name in value.split(",")), f"{option} {value}"


def test_there_is_something_to_check():
    assert len(blocks("cpp")) >= 5 and len(commands("lbresolve")) >= 5 and len(commands("make")) >= 2


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.name)
def test_links_between_documents_lead_somewhere(path):
    targets = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", path.read_text())
    missing = [t for t in targets if not (path.parent / t).exists()]
    assert not missing
