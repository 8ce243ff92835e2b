"""A real unbound, as the user who runs the tests: serves names of the tests' own, or asks other servers of theirs."""

from __future__ import annotations

import signal
import subprocess
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
  control-enable: {control}
  control-use-cert: no
  control-interface: "{directory}/control"
"""

#: Also over TLS and HTTPS.
ENCRYPTED = """\
  interface: {address}@{tls}
  interface: {address}@{https}
  tls-port: {tls}
  https-port: {https}
  tls-service-key: "{certificate}"
  tls-service-pem: "{certificate}"
  tcp-idle-timeout: {idle_ms}
  extended-statistics: yes
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


class UnboundServer(ServerProcess):
    """Runs from construction to close()."""

    def __init__(self, hosts: Mapping[str, Sequence[str]], *, directory: Path, address: str = "127.0.0.1",
                 port: int = 53, zone: str = "example.test", more_zones: Sequence[str] = (), ttl: int = 300,
                 round_robin: bool = False, stub: str | None = None, certificate: Path | None = None,
                 tls: int = 853, https: int = 443, idle_ms: int = 30_000, connections: int = 64, more: str = "",
                 start: Start = subprocess.Popen) -> None:
        """With `stub`, a server's address, that server is asked for the zone and `hosts` is not used. With a
        `certificate`, over TLS and HTTPS too, on ports of their own, where connections are closed once they are idle
        for so long. `more` are lines of the configuration's section `server`."""
        directory.mkdir(parents=True, exist_ok=True)
        self._config = directory / "unbound.conf"
        encrypted = ENCRYPTED.format(address=address, certificate=certificate, tls=tls, https=https,
                                     idle_ms=idle_ms) if certificate else ""
        self._settings = {"directory": directory, "address": address, "port": port, "connections": connections,
                          "round_robin": "yes" if round_robin else "no",
                          "control": "yes" if certificate else "no", "encrypted": encrypted + more}
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

    def statistics(self) -> dict[str, str]:
        """Of one with a `certificate`."""
        told = subprocess.run([find_program("unbound-control"), "-c", str(self._config), "stats_noreset"],
                              capture_output=True, text=True, check=True)
        return dict(line.split("=", 1) for line in told.stdout.splitlines())

    def _write(self, hosts: Mapping[str, Sequence[str]]) -> None:
        zones = "".join(STATIC_ZONE.format(zone=zone) for zone in self._zones)
        self._write_zone(zones + local_data(hosts, self._ttl))

    def _write_zone(self, text: str) -> None:
        self._config.write_text(CONFIG.format(zone=text, **self._settings), encoding="utf-8")
