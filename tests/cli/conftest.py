"""The command, with a memory of its own for each test, and things on loopback for it to find."""

import pytest
from backends import Backends
from command import Command


@pytest.fixture
def lbresolve(lbresolve_bin, tmp_path, monkeypatch):
    """What a test's runs learn, later runs of that test know, and nobody else does."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))   # also for what tests start themselves
    empty = tmp_path / "empty"
    empty.write_text("")
    return Command(lbresolve_bin, empty, tmp_path / "state")


@pytest.fixture
def remembers(lbresolve):
    """For tests of memory between runs: a build without SQLite has none."""
    asked = lbresolve.run("health", "--state", lbresolve.state_file)
    if "keeps no state file" in asked.err:
        pytest.skip(asked.err.strip())


@pytest.fixture(scope="session")
def backends():
    made = Backends()
    yield made
    made.close()
