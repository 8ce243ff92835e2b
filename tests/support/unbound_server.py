"""A real unbound that serves names of the tests' own, as the user who runs the tests."""

from __future__ import annotations

import shutil
import socket
import struct
import subprocess
import time
from pathlib import Path
from typing import Callable, Mapping, Sequence

#: Answers to every query about these zones come from `local-data`; nothing is ever asked of anybody.
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
  incoming-num-tcp: 64
  rrset-roundrobin: {round_robin}
  local-zone: "test." nodefault
  local-zone: "{zone}." static
  local-data: "{zone}. 30 IN SOA ns.{zone}. host.{zone}. 1 3600 600 86400 30"
{data}
remote-control:
  control-enable: no
"""


def find_unbound() -> str | None:
    return shutil.which("unbound") or next((p for p in ("/usr/sbin/unbound", "/usr/local/sbin/unbound")
                                            if Path(p).exists()), None)


def local_data(hosts: Mapping[str, Sequence[str]], ttl: int) -> str:
    """`local-data` lines: A or AAAA by the look of each address; anything with a space is type and data as they are."""
    def data(value: str) -> str:
        return value if " " in value else f"AAAA {value}" if ":" in value else f"A {value}"
    return "\n".join(f'  local-data: "{name}. {ttl} IN {data(value)}"'
                     for name, values in hosts.items() for value in values)


class UnboundServer:
    """Runs from construction to close()."""

    def __init__(self, hosts: Mapping[str, Sequence[str]], *, directory: Path, address: str = "127.0.0.1",
                 port: int = 53, zone: str = "example.test", ttl: int = 300, round_robin: bool = False,
                 start: Callable[[list[str]], subprocess.Popen] = subprocess.Popen) -> None:
        """`start` starts the command (in another namespace, say)."""
        self.address, self.port = address, port
        directory.mkdir(parents=True, exist_ok=True)
        config = directory / "unbound.conf"
        config.write_text(CONFIG.format(
            directory=directory, address=address, port=port, zone=zone, data=local_data(hosts, ttl),
            round_robin="yes" if round_robin else "no"), encoding="utf-8")
        program = find_unbound()
        if program is None:
            raise FileNotFoundError("unbound is not installed")
        self.process = start([program, "-d", "-c", str(config)])

    def wait_until_ready(self, sock: socket.socket, timeout: float = 10.0) -> None:
        """Asks over a UDP socket (of the right namespace) until there is an answer."""
        query = struct.pack("!6H", 0x6C62, 0x0100, 1, 0, 0, 0) + b"\0" + struct.pack("!HH", 2, 1)
        sock.settimeout(0.05)
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise RuntimeError(f"unbound ended at once, with {self.process.returncode}")
            try:
                sock.sendto(query, (self.address, self.port))
                if sock.recv(512)[:2] == query[:2]:
                    return
            except OSError:
                time.sleep(0.02)
        raise TimeoutError(f"unbound did not answer within {timeout} s")

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(3)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()
