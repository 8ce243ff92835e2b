"""A real PowerDNS authoritative server with LUA records: small programs that choose the addresses of each answer.

    pdns({"www": "ifportup(8080, {'203.0.113.1', '203.0.113.2'}, {selector='all'})"})

What it does that one has to know (4.7): a check begins with the first question for it, which is answered as if all
addresses were down (with `backupSelector`); then all are checked every second. A check that is refused counts at once,
one that is dropped after two seconds.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Mapping, Sequence

from server_process import ServerProcess, Start

CONFIG = """\
launch=bind
bind-config={directory}/named.conf
config-dir={directory}
socket-dir={directory}
local-address={address}
local-port={port}
query-local-address=0.0.0.0 ::
guardian=no
daemon=no
disable-syslog=yes
write-pid=no
setuid=
setgid=
security-poll-suffix=
enable-lua-records=yes
edns-subnet-processing=yes
lua-health-checks-interval=1
cache-ttl=0
query-cache-ttl=0
negquery-cache-ttl=0
"""

ZONE = """\
$ORIGIN {zone}.
@ 30 IN SOA ns host 1 3600 600 86400 {negative_ttl}
@ 30 IN NS ns
ns 30 IN A {address}
{records}
"""


def table(addresses: Sequence[str]) -> str:
    """A list as Lua writes it."""
    return "{" + ", ".join(f"'{address}'" for address in addresses) + "}"


def if_port_up(port: int, addresses: Sequence[str]) -> str:
    """All addresses on which the port answers; all of them when none does."""
    return f"ifportup({port}, {table(addresses)}, {{selector='all', backupSelector='all'}})"


def pick_weighted(weights: Mapping[str, int]) -> str:
    """One address an answer, by weight."""
    return "pickwrandom({" + ", ".join(f"{{{weight}, '{address}'}}" for address, weight in weights.items()) + "})"


class PdnsServer(ServerProcess):
    """Runs from construction to close()."""

    def __init__(self, records: Mapping[str, str], *, directory: Path, address: str, port: int = 53,
                 zone: str = "example.test", ttl: int = 1, negative_ttl: int = 10,
                 start: Start = subprocess.Popen) -> None:
        """`records`: Lua by label, for A; a label that ends in "/AAAA" is for AAAA."""
        directory.mkdir(parents=True, exist_ok=True)
        lines = []
        for key, lua in records.items():
            name, _, kind = key.partition("/")
            lines.append(f'{name} {ttl} IN LUA {kind or "A"} "{lua}"')
        (directory / "zone").write_text(ZONE.format(zone=zone, address=address, negative_ttl=negative_ttl,
                                                    records="\n".join(lines)), encoding="utf-8")
        (directory / "named.conf").write_text(
            f'zone "{zone}" {{ type master; file "{directory}/zone"; }};\n', encoding="utf-8")
        (directory / "pdns.conf").write_text(
            CONFIG.format(directory=directory, address=address, port=port), encoding="utf-8")
        super().__init__("pdns_server", [f"--config-dir={directory}"], address, port, start)
