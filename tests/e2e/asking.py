"""What a DNS server says just now, through the command."""

from __future__ import annotations

import time
from typing import Sequence

from client import Client
from gdnsd_server import CHECK_INTERVAL
from places import NAME

#: A check that has just gone well is repeated after its interval, and may take a second to fail; then some patience.
NOTICED = CHECK_INTERVAL + 1 + 5


def ask(client: Client, server: str, *arguments: str) -> list[str]:
    """The addresses of NAME, sorted."""
    run = client.resolve(NAME, server, *arguments)
    assert run.exit_code == 0, run
    return sorted(run.addresses)


def ask_until(client: Client, server: str, expected: Sequence[str], timeout: float = NOTICED) -> None:
    """Asks until the answer holds exactly these addresses."""
    end, found = time.monotonic() + timeout, None
    while time.monotonic() < end:
        found = ask(client, server)
        if found == sorted(expected):
            return
        time.sleep(0.1)
    raise AssertionError(f"the answer held {found} for {timeout} s, expected {sorted(expected)}")
