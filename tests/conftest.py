"""What every pytest folder here shares: the rule marker, the command's path, a DNS server."""

import os
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "support"))


def pytest_configure(config):
    config.addinivalue_line("markers", "rule(*ids): the rules of the conformance list that this test checks")
    config.addinivalue_line("markers", "python_package: needs the Python package, which is not built with sanitizers")


def pytest_collection_modifyitems(config, items):
    """Each rule id becomes a <property name="rule"> in the junit xml, from which the conformance matrix is made."""
    if os.environ.get("LBRESOLVE_SANITIZE"):
        left_out = [item for item in items if item.get_closest_marker("python_package")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
    for item in items:
        for marker in item.iter_markers("rule"):
            for rule in marker.args:
                item.user_properties.append(("rule", rule))


@pytest.fixture(scope="session")
def lbresolve_bin():
    """The command under test: LBRESOLVE_BIN, or the one of the dev build."""
    path = os.environ.get("LBRESOLVE_BIN") or str(HERE.parent / "build" / "dev" / "cli" / "lbresolve")
    if not os.access(path, os.X_OK):
        pytest.fail(f"no command at {path}: build it, or set LBRESOLVE_BIN")
    return path


@pytest.fixture
def dns_server():
    """A scripted DNS server; fill in `answers` (see support/dns_server.py)."""
    from dns_server import DnsServer

    with DnsServer() as server:
        yield server
