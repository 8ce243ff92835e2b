"""The command, and things on loopback for it to find."""

import pytest
from backends import Backends
from command import Command


@pytest.fixture
def lbresolve(lbresolve_bin, tmp_path):
    empty = tmp_path / "empty"
    empty.write_text("")
    return Command(lbresolve_bin, empty)


@pytest.fixture(scope="session")
def backends():
    made = Backends()
    yield made
    made.close()
