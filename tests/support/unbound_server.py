"""A real unbound, as the user who runs the tests: serves names of the tests' own, or asks other servers of theirs."""

from __future__ import annotations

import signal
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Mapping, Sequence

from server_process import ServerProcess, Start, find_program

#: Answers about `zone` come from `local-data`, or from the server that `stub` names. Nobody else is ever asked.
CONFIG = """\
server:
  verbosity: 1
  use-syslog: no
  logfile: ""
  do-daemonize: no
  username: ""
  chroot: ""
  directory: "{directory}"
  pidfile: "{directory}/unbound.pid"
  interface: {address}@{port}
  access-control: 0.0.0.0/0 allow
  access-control: ::/0 allow
  num-threads: 1
  module-config: "iterator"
  incoming-num-tcp: {connections}
  rrset-roundrobin: {round_robin}
  local-zone: "test." nodefault
{encrypted}{zone}
remote-control:
  control-enable: no
"""

#: The same answers over TLS and over HTTPS, each on a port of its own.
ENCRYPTED = """\
  interface: {address}@{tls}
  interface: {address}@{https}
  tls-port: {tls}
  https-port: {https}
  tls-service-key: "{certificate}"
  tls-service-pem: "{certificate}"
"""

STATIC_ZONE = """\
  local-zone: "{zone}." static
  local-data: "{zone}. 30 IN SOA ns.{zone}. host.{zone}. 1 3600 600 86400 30"
"""

#: A recursive server with its cache, as a client meets one; all it ever asks is the authoritative server given.
STUB_ZONE = """\
  do-not-query-localhost: no
  qname-minimisation: no
  outgoing-interface: {address}
stub-zone:
  name: "{zone}."
  stub-addr: {stub}
  stub-prime: no
"""


def find_unbound() -> str | None:
    return find_program("unbound")


def local_data(hosts: Mapping[str, Sequence[str]], ttl: int) -> str:
    """`local-data` lines: A or AAAA by the look of each address; anything with a space is type and data as they are."""
    def data(value: str) -> str:
        return value if " " in value else f"AAAA {value}" if ":" in value else f"A {value}"
    return "\n".join(f'  local-data: "{name}. {ttl} IN {data(value)}"'
                     for name, values in hosts.items() for value in values)


@dataclass(frozen=True)
class Encrypted:
    """What TLS and HTTPS need: a file with certificate and key, and two ports."""

    certificate: Path
    tls: int = 853
    https: int = 443


class UnboundServer(ServerProcess):
    """Runs from construction to close()."""

    def __init__(self, hosts: Mapping[str, Sequence[str]], *, directory: Path, address: str = "127.0.0.1",
                 port: int = 53, zone: str = "example.test", more_zones: Sequence[str] = (), ttl: int = 300,
                 round_robin: bool = False, stub: str | None = None, encrypted: Encrypted | None = None,
                 connections: int = 64, more: str = "", start: Start = subprocess.Popen) -> None:
        """With `stub`, a server's address, that server is asked for the zone and `hosts` is not used.

        `more` are lines of the configuration's section `server`.
        """
        directory.mkdir(parents=True, exist_ok=True)
        self._config = directory / "unbound.conf"
        self._settings = {"directory": directory, "address": address, "port": port,
                          "round_robin": "yes" if round_robin else "no", "connections": connections}
        tls = ENCRYPTED.format(address=address, **asdict(encrypted)) if encrypted is not None else ""
        self._settings["encrypted"] = tls + more
        self._zones, self._ttl = (zone, *more_zones), ttl
        if stub is None:
            self._write(hosts)
        else:
            self._write_zone(STUB_ZONE.format(zone=zone, stub=stub, address=address))
        super().__init__("unbound", ["-d", "-c", str(self._config)], address, port, start)

    def serve(self, hosts: Mapping[str, Sequence[str]]) -> None:
        """From some moment soon on, these hosts and no others."""
        self._write(hosts)
        self.process.send_signal(signal.SIGHUP)

    def _write(self, hosts: Mapping[str, Sequence[str]]) -> None:
        zones = "".join(STATIC_ZONE.format(zone=zone) for zone in self._zones)
        self._write_zone(zones + local_data(hosts, self._ttl))

    def _write_zone(self, text: str) -> None:
        self._config.write_text(CONFIG.format(zone=text, **self._settings), encoding="utf-8")
