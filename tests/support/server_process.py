"""What the real DNS servers of the tests have in common: found, started, waited for, ended."""

from __future__ import annotations

import shutil
import socket
import struct
import subprocess
import time
from pathlib import Path
from typing import Callable

#: Starts a command (in another namespace, say).
Start = Callable[[list[str]], subprocess.Popen]


def find_program(name: str) -> str | None:
    """Where a daemon is, also where an ordinary user's PATH does not look."""
    return shutil.which(name) or next((str(p) for p in (Path("/usr/sbin") / name, Path("/usr/local/sbin") / name)
                                       if p.exists()), None)


class ServerProcess:
    """Runs from construction to close()."""

    def __init__(self, name: str, arguments: list[str], address: str, port: int, start: Start) -> None:
        program = find_program(name)
        if program is None:
            raise FileNotFoundError(f"{name} is not installed")
        self.name, self.address, self.port = name, address, port
        self.process = start([program, *arguments])

    def wait_until_ready(self, sock: socket.socket, timeout: float = 10.0) -> None:
        """Asks over a UDP socket (of the right namespace) until there is an answer, whatever it says.

        The question is one that no server asks others about (RFC 6761 section 6.3).
        """
        query = struct.pack("!6H", 0x6C62, 0x0100, 1, 0, 0, 0) + b"\x09localhost\0" + struct.pack("!HH", 1, 1)
        sock.settimeout(0.05)
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended at once, with {self.process.returncode}")
            try:
                sock.sendto(query, (self.address, self.port))
                if sock.recv(512)[:2] == query[:2]:
                    return
            except OSError:
                time.sleep(0.02)
        raise TimeoutError(f"{self.name} did not answer within {timeout} s")

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(3)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()
