#!/usr/bin/env python3
"""Shows lbresolve at work, on this machine alone: python3 docs/demo/demo.py path/to/lbresolve

Starts a real unbound on a loopback port, with a name of eight addresses, and something behind each address: six
answer, one refuses, one stays silent. Needs no root, touches nothing outside its temporary directory, sends nothing
beyond loopback, takes less than a minute, and stops everything it started, also on Ctrl-C.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import selectors
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HEALTHY = [f"127.0.0.{n}" for n in (11, 12, 13, 14, 15, 16)]
REFUSING, SILENT, SILENT_V6 = "127.0.0.17", "127.0.0.18", "::1"
NAME, DUAL_NAME = "api.example.test", "dual.example.test"

UNBOUND_CONFIG = """\
server:
  directory: "{directory}"
  pidfile: "{directory}/unbound.pid"
  logfile: "{directory}/unbound.log"
  use-syslog: no
  do-daemonize: no
  username: ""
  chroot: ""
  interface: 127.0.0.1@{port}
  access-control: 127.0.0.0/8 allow
  num-threads: 1
  module-config: "iterator"
  rrset-roundrobin: yes
  local-zone: "test." nodefault
  local-zone: "example.test." static
  local-data: "example.test. 30 IN SOA ns.example.test. host.example.test. 1 3600 600 86400 30"
{data}
remote-control:
  control-enable: no
"""


class Stopped(Exception):
    """A signal asks to end; carries the exit code."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lbresolve", type=Path, help="the command to show")
    program = parser.parse_args().lbresolve
    if not os.access(program, os.X_OK):
        parser.error(f"{program} is not a program: build lbresolve first")
    unbound = shutil.which("unbound", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if unbound is None:
        print("The demo needs unbound, a DNS server. Install it with one of\n"
              "  sudo apt install unbound\n  sudo dnf install unbound\n  sudo pacman -S unbound", file=sys.stderr)
        return 1
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    try:
        with contextlib.ExitStack() as cleanup:
            show(str(program.resolve()), unbound, cleanup)
    except Stopped as reason:
        print("\nThe demo was stopped; nothing of it is left running.", file=sys.stderr)
        return int(reason.args[0])
    return 0


def stop(number: int, _frame) -> None:
    for other in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(other, signal.SIG_IGN)   # once is enough: what was started is being stopped now
    raise Stopped(128 + number)


# --- the show -------------------------------------------------------------------------------------------------------


def show(program: str, unbound: str, cleanup: contextlib.ExitStack) -> None:
    has_v6 = can_bind(SILENT_V6)
    port = start_backends(has_v6, cleanup)
    directory = cleanup.enter_context(tempfile.TemporaryDirectory(prefix="lbresolve-demo-"))
    dns_port, dead_port = start_dns(unbound, directory, cleanup)
    server, dead_server = f"@127.0.0.1:{dns_port}", f"@127.0.0.1:{dead_port}"

    def step(text: str, *arguments: str) -> None:
        print(f"\n{bold('# ' + text)}\n$ {shlex.join(['lbresolve', *arguments])}\n", flush=True)
        code = run(program, *arguments, memory=directory)
        if code != 0:
            raise SystemExit(f"lbresolve ended with {code}, where 0 was expected")

    print(f"unbound serves {NAME} on 127.0.0.1:{dns_port}. Of its eight addresses six answer on port {port},\n"
          f"{REFUSING} refuses, and {SILENT} never answers a SYN.")
    step("What does the name stand for?", "resolve", NAME, server)
    step("In which order would a connect try them, and why? Nothing is known yet: all have the same chance to be first.",
         "explain", f"{NAME}:{port}", server)
    step("Connect to it. Every connect begins with another address; one that refuses costs nothing.",
         "connect", f"{NAME}:{port}", server)
    if has_v6:
        step("A name whose IPv6 address is silent. IPv6 goes first all the same, and IPv4 follows 250 ms later.",
             "connect", f"{DUAL_NAME}:{port}", server)
    step("The first DNS server is dead. Most programs wait five seconds here; the next server is asked after 0.3 s.",
         "resolve", NAME, dead_server, server, "--trace")
    step("Fifty connects: none fails, six addresses share them. One waits 250 ms for the silent address; then it is known.",
         "connect", f"{NAME}:{port}", "--count", "50", server)
    step("Look at every address once, waiting two seconds for each at most.",
         "probe", f"{NAME}:{port}", server)
    step("The same question as before: what earlier runs learned is remembered. What failed comes last, and why.",
         "explain", f"{NAME}:{port}", server)


def bold(text: str) -> str:
    return f"\033[1m{text}\033[0m" if sys.stdout.isatty() and "NO_COLOR" not in os.environ else text


def run(program: str, *arguments: str, memory: str) -> int:
    """Runs the command to its end; it ends with the demo at the latest. What it learns, it keeps under `memory`."""
    process = subprocess.Popen([program, *arguments], start_new_session=True, preexec_fn=die_with_parent,
                               env={**os.environ, "XDG_STATE_HOME": memory})
    try:
        return process.wait(30)
    finally:
        end_group(process)


# --- what the name leads to -----------------------------------------------------------------------------------------


def start_backends(has_v6: bool, cleanup: contextlib.ExitStack) -> int:
    """Listeners on one free port. Nothing listens on the refusing address: the kernel answers with a reset."""
    listeners, port = listen_everywhere(HEALTHY)
    stop_serving = serve(listeners)
    cleanup.callback(stop_serving)
    for address in [SILENT] + ([SILENT_V6] if has_v6 else []):
        for sock in silent_listener(address, port):
            cleanup.callback(sock.close)
    return port


def listen_everywhere(addresses: list[str]) -> tuple[list[socket.socket], int]:
    """One port that is free on all addresses."""
    for _ in range(50):
        listeners = [socket.create_server((addresses[0], 0), backlog=128)]
        port = listeners[0].getsockname()[1]
        try:
            for address in addresses[1:]:
                listeners.append(socket.create_server((address, port), backlog=128))
            return listeners, port
        except OSError:
            for listener in listeners:
                listener.close()
    raise SystemExit("no port is free on all of 127.0.0.11 to 127.0.0.16")


def serve(listeners: list[socket.socket]):
    """Greets and hangs up, in a thread; gives the function that ends it."""
    wake_read, wake_write = socket.socketpair()
    selector = selectors.DefaultSelector()
    for readable in [wake_read, *listeners]:
        selector.register(readable, selectors.EVENT_READ)

    def loop() -> None:
        while True:
            for key, _ in selector.select():
                if key.fileobj is wake_read:
                    return
                with contextlib.suppress(OSError):
                    connection, _ = key.fileobj.accept()
                    with connection:
                        connection.sendall(b"hello\n")

    thread = threading.Thread(target=loop)
    thread.start()

    def end() -> None:
        wake_write.send(b"x")
        thread.join()
        for open_socket in [selector, wake_read, wake_write, *listeners]:
            open_socket.close()

    return end


def silent_listener(address: str, port: int) -> list[socket.socket]:
    """Its queue of connections nobody accepts is full, so that the kernel drops every further SYN."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sockets = [socket.create_server((address, port), family=family, backlog=0)]
    for _ in range(4):
        filler = socket.socket(family)
        filler.setblocking(False)
        filler.connect_ex((address, port))
        sockets.append(filler)
    return sockets


def can_bind(address: str) -> bool:
    try:
        socket.create_server((address, 0), family=socket.AF_INET6).close()
        return True
    except OSError:
        return False


# --- DNS ------------------------------------------------------------------------------------------------------------


def start_dns(unbound: str, directory: str, cleanup: contextlib.ExitStack) -> tuple[int, int]:
    """A real unbound, and a port where nobody ever answers."""
    dead = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    dead.bind(("127.0.0.1", 0))
    cleanup.callback(dead.close)
    hosts = [(NAME, address) for address in [*HEALTHY, REFUSING, SILENT]]
    hosts += [(DUAL_NAME, SILENT_V6), (DUAL_NAME, HEALTHY[0])]
    data = "\n".join(f'  local-data: "{name}. 300 IN {"AAAA" if ":" in address else "A"} {address}"'
                     for name, address in hosts)
    port = free_udp_and_tcp_port()
    config = Path(directory) / "unbound.conf"
    config.write_text(UNBOUND_CONFIG.format(directory=directory, port=port, data=data), encoding="utf-8")
    process = subprocess.Popen([unbound, "-d", "-c", str(config)], start_new_session=True, preexec_fn=die_with_parent,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    cleanup.callback(end_group, process)
    wait_for_dns(process, port, Path(directory) / "unbound.log")
    return port, dead.getsockname()[1]


def free_udp_and_tcp_port() -> int:
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
            udp.bind(("127.0.0.1", 0))
            with contextlib.suppress(OSError):
                tcp.bind(udp.getsockname())
                return udp.getsockname()[1]


def wait_for_dns(process: subprocess.Popen, port: int, log: Path) -> None:
    query = struct.pack("!6H", 7, 0x0100, 1, 0, 0, 0) + b"\7example\4test\0" + struct.pack("!HH", 6, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(0.1)
        for _ in range(100):
            if process.poll() is not None:
                break
            try:
                sock.sendto(query, ("127.0.0.1", port))
                sock.recv(512)
                return
            except OSError:
                time.sleep(0.02)
    raise SystemExit(f"unbound did not start:\n{log.read_text() if log.exists() else ''}")


# --- leaving nothing behind -----------------------------------------------------------------------------------------


_libc = ctypes.CDLL(None)


def die_with_parent() -> None:
    """In a child, before exec: should the demo be killed outright, the kernel ends its children (Linux)."""
    pr_set_pdeathsig = 1
    _libc.prctl(pr_set_pdeathsig, signal.SIGKILL)


def end_group(process: subprocess.Popen) -> None:
    """Stops a child, asking first, with everything that it started itself."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(2)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


if __name__ == "__main__":
    sys.exit(main())
