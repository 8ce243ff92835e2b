"""A real gdnsd, an authoritative server that answers by what it knows of the addresses and of who asks.

    gdnsd({"www": multifo(["203.0.113.1", "203.0.113.2"], check="tcp"),
           "far": geoip({"198.51.100.0/25": "east"}, {"east": [...], "west": [...]})})

What it does that one has to know (3.8.1): service checks come every two seconds at the most often; the first round is
over before it answers at all; the time to live is that of the check's state, between the two numbers of `ttl`.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Mapping, Sequence

from server_process import ServerProcess, Start

#: gdnsd allows no shorter interval (its manual says one second; it wants two).
CHECK_INTERVAL = 2.0

CONFIG = """\
options => {{
  listen => {address}:{port}
  run_dir => {directory}/run
  state_dir => {directory}/state
  min_ttl => 0
  udp_threads => 1
  tcp_threads => 1
}}
service_types => {{
  tcp => {{ plugin => tcp_connect, port => {tcp_port}, {pace} }}
  http => {{ plugin => http_status, port => {http_port}, url_path => /health, {pace} }}
}}
plugins => {{
{plugins}
}}
"""
PACE = "interval => 2, timeout => 1, up_thresh => 1, ok_thresh => 1, down_thresh => 1"

ZONE = """\
@ {negative_ttl} SOA ns host 1 3600 600 86400 {negative_ttl}
@ NS ns
ns A {address}
{records}
"""


@dataclass
class Resource:
    """One name's way of answering: the plugin, and the text of its resource."""

    plugin: str
    text: str
    maps: str = ""


def _families(addresses: Sequence[str], items: Sequence[str]) -> str:
    """`items`, one for each address, sorted into gdnsd's two lists."""
    lists = {"addrs_v4": [], "addrs_v6": []}
    for number, (address, item) in enumerate(zip(addresses, items), 1):
        lists["addrs_v6" if ":" in address else "addrs_v4"].append(f"n{number} => {item}")
    return ", ".join(f"{name} => {{ {', '.join(found)} }}" for name, found in lists.items() if found)


def multifo(addresses: Sequence[str], check: str = "tcp", up_thresh: float = 0.01) -> Resource:
    """All addresses whose check ("tcp", "http", "up") succeeds; all of them when less than `up_thresh` do."""
    return Resource("multifo", f"service_types => {check}, up_thresh => {up_thresh}, "
                    + _families(addresses, list(addresses)))


def weighted(weights: Mapping[str, int], check: str = "up", multi: bool = False) -> Resource:
    """One address an answer, by weight; with `multi` each one with the chance weight / greatest weight."""
    return Resource("weighted", f"service_types => {check}, multi => {str(multi).lower()}, "
                    + _families(list(weights), [f"[ {address}, {weight} ]" for address, weight in weights.items()]))


def geoip(nets: Mapping[str, str], regions: Mapping[str, Sequence[str]], check: str = "up") -> Resource:
    """The region's addresses, by the network that asks or is asked for (RFC 7871); the next region when all fail.

    The regions stand in the order of preference for networks that `nets` does not name.
    """
    def ordered(first: str) -> str:
        return ", ".join([first, *(name for name in regions if name != first)])

    rows = ", ".join(f"{net} => [ {ordered(region)} ]" for net, region in nets.items())
    centers = ", ".join(f"{name} => {{ up_thresh => 0.01, {_families(found, list(found))} }}"
                        for name, found in regions.items())
    return Resource("geoip", f"service_types => {check}, dcmap => {{ {centers} }}",
                    f"datacenters => [ {', '.join(regions)} ], nets => {{ {rows} }}")


def _plugins(resources: Mapping[str, Resource]) -> str:
    lines = []
    for plugin in sorted({r.plugin for r in resources.values()}):
        mine = {name: r for name, r in resources.items() if r.plugin == plugin}
        if plugin == "geoip":
            maps = ", ".join(f"{name} => {{ {r.maps} }}" for name, r in mine.items())
            found = ", ".join(f"{name} => {{ map => {name}, {r.text} }}" for name, r in mine.items())
            lines.append(f"  geoip => {{ maps => {{ {maps} }}, resources => {{ {found} }} }}")
        else:
            lines.append(f"  {plugin} => {{ " + ", ".join(f"{n} => {{ {r.text} }}" for n, r in mine.items()) + " }")
    return "\n".join(lines)


class GdnsdServer(ServerProcess):
    """Runs from construction to close()."""

    def __init__(self, resources: Mapping[str, Resource], *, directory: Path, address: str, port: int = 53,
                 zone: str = "example.test", ttl: str = "1/1", negative_ttl: int = 10, tcp_port: int = 8080,
                 http_port: int = 8081, start: Start = subprocess.Popen) -> None:
        """`resources` by label: the names are below `zone`. `ttl` is the most and the least, in seconds."""
        (directory / "zones").mkdir(parents=True, exist_ok=True)
        (directory / "config").write_text(CONFIG.format(
            address=address, port=port, directory=directory, tcp_port=tcp_port, http_port=http_port, pace=PACE,
            plugins=_plugins(resources)), encoding="utf-8")
        records = "\n".join(f"{name} {ttl} DYNA {r.plugin}!{name}" for name, r in resources.items())
        (directory / "zones" / zone).write_text(
            ZONE.format(address=address, records=records, negative_ttl=negative_ttl), encoding="utf-8")
        super().__init__("gdnsd", ["-c", str(directory), "start"], address, port, start)
