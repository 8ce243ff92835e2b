"""Network namespaces of the tests' own: a client, a server with as many addresses as wanted, and the wire between.

Nothing outside is touched: the test program itself is started again inside fresh user (without root), network,
mount and PID namespaces, and everything ends with it. Only addresses set aside for documentation are used
(RFC 5737, RFC 3849).
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Iterator

from delay_link import LinkControl

INSIDE = "LBRESOLVE_INSIDE_LAB"
CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1

CLIENT_V4, CLIENT_V6 = "198.51.100.1", "2001:db8:c::1"
SERVER_V4, SERVER_V6 = "198.51.100.2", "2001:db8:c::2"
#: Every address in these belongs to the server: name servers in the first pair, backends in the second.
SERVER_PREFIXES = ("192.0.2.0/24", "2001:db8:53::/64", "203.0.113.0/24", "2001:db8:b::/64")

_libc = ctypes.CDLL(None, use_errno=True)


# --- getting inside -------------------------------------------------------------------------------------------------


def unshare_command() -> list[str]:
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    return ["unshare", *user, "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]


def is_inside() -> bool:
    return os.environ.get(INSIDE) == "1"


def required() -> bool:
    """Whether missing namespaces are a failure instead of a reason to skip."""
    return os.environ.get("CI") == "true" or os.environ.get("LBRESOLVE_E2E") == "required"


def why_not() -> str | None:
    """The reason why namespaces cannot be made here, or None where they can."""
    for tool in ("unshare", "nsenter", "ip", "nft", "mount"):
        if shutil.which(tool, path=_path()) is None:
            return f"the command `{tool}` is not installed"
    probe = "mount -t tmpfs none /run && mkdir /run/netns && ip netns add a && ip link add x0 type veth peer name x1"
    run = subprocess.run([*unshare_command(), "sh", "-c", probe], capture_output=True, text=True,
                         env={**os.environ, "PATH": _path()}, check=False)
    if run.returncode == 0:
        return None
    return f"no network namespace can be made here: {run.stderr.strip() or f'exit code {run.returncode}'}"


def unavailable(reason: str) -> None:
    """Ends a test that cannot be run here: skipped with the reason, or failed where that is not allowed."""
    import pytest

    (pytest.fail if required() else pytest.skip)(f"end-to-end test not possible here: {reason}")


def start_inside(command: list[str]) -> None:
    """Replaces this process by `command` inside new namespaces."""
    sys.stdout.flush()
    sys.stderr.flush()
    with_loopback = ["sh", "-c", 'ip link set lo up; exec "$@"', "sh"]
    os.execvpe("unshare", [*unshare_command(), *with_loopback, *command], {**os.environ, "PATH": _path(), INSIDE: "1"})


def _path() -> str:
    return os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


# --- small tools ----------------------------------------------------------------------------------------------------


def die_with_parent() -> None:
    """For a child, before exec: it gets SIGKILL when its parent ends, however that ends."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


@contextlib.contextmanager
def in_namespace(name: str) -> Iterator[None]:
    """Sockets made in here by this thread belong to the namespace, also after it."""
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    wanted = os.open(f"/run/netns/{name}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _setns(wanted)
        yield
    finally:
        _setns(before)
        os.close(wanted)
        os.close(before)


def _setns(descriptor: int) -> None:
    if _libc.setns(descriptor, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def _checksums_in_software(interface: str) -> None:
    """Frames are copied by hand: they must leave with true checksums and in wire size (ethtool -K tx off tso off)."""
    import socket

    siocethtool, stxcsum, stso, sgso, sgro = 0x8946, 0x17, 0x1F, 0x24, 0x2C
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for command in (stxcsum, stso, sgso, sgro):
            value = ctypes.create_string_buffer(struct.pack("II", command, 0))
            request = struct.pack("16sP8x", interface.encode(), ctypes.addressof(value))
            fcntl.ioctl(sock, siocethtool, request)


def wait_until(condition, timeout: float = 5.0, what: str = "condition") -> None:
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"{what} did not come true within {timeout} s")
        time.sleep(0.005)


# --- the lab --------------------------------------------------------------------------------------------------------


class NetworkLab:
    """The three namespaces, the link, and the server's packet filter. Made once a test run."""

    def __init__(self) -> None:
        if not is_inside():
            raise RuntimeError("a NetworkLab mounts over /etc and /run: call start_inside() first")
        self.directory = Path(tempfile.mkdtemp(prefix="lbresolve-lab-"))
        self._processes: list[subprocess.Popen] = []
        self._lock = threading.Lock()
        self._filter: list[tuple[str, str]] = []   # address or prefix, and its rule
        self._private_run_and_etc()
        self._make_namespaces()
        control = str(self.directory / "link")
        self._link_process = self.start("wire", [
            sys.executable, str(Path(__file__).with_name("delay_link.py")),
            "--client", "c1", "--server", "s1", "--control", control])
        self.link = LinkControl(control)

    # The mount namespace is ours: /run holds only our namespaces, and /etc is the real one with our own resolv.conf,
    # hosts and nsswitch.conf, which may be rewritten or replaced.
    def _private_run_and_etc(self) -> None:
        script = """
            mount -t tmpfs none /run && mkdir -p /run/netns /run/real-etc
            mount --rbind /etc /run/real-etc
            mount -t tmpfs none /etc
            for entry in /run/real-etc/* /run/real-etc/.[!.]*; do
              case ${entry##*/} in resolv.conf|hosts|nsswitch.conf|gai.conf) continue ;; esac
              if [ -L "$entry" ]; then cp -P "$entry" /etc/; else ln -s "$entry" /etc/; fi
            done
            echo 'hosts: files dns' > /etc/nsswitch.conf
        """
        _shell(script)
        self.write_hosts("")
        self.write_resolv_conf("192.0.2.53")

    def _make_namespaces(self) -> None:
        _shell(f"""
            for name in client wire server; do
              ip netns add $name
              ip -n $name link set lo up
            done
            ip link add c0 netns client type veth peer name c1 netns wire
            ip link add s0 netns server type veth peer name s1 netns wire
            for pair in client/c0 server/s0 wire/c1 wire/s1; do
              ip -n ${{pair%/*}} link set ${{pair#*/}} addrgenmode none
            done
            ip -n client link set c0 address 02:00:00:00:00:01
            ip -n server link set s0 address 02:00:00:00:00:02
            set_in() {{ nsenter --net=/run/netns/$1 sh -c "echo $3 > /proc/sys/net/$2"; }}
            set_in wire ipv6/conf/all/disable_ipv6 1
            set_in server ipv4/icmp_ratelimit 0
            set_in server ipv6/icmp/ratelimit 0
            set_in server ipv4/tcp_max_syn_backlog 4096
            set_in server core/somaxconn 4096
            ip -n client address add {CLIENT_V4}/30 dev c0
            ip -n client address add {CLIENT_V6}/64 dev c0 nodad
            ip -n server address add {SERVER_V4}/30 dev s0
            ip -n server address add {SERVER_V6}/64 dev s0 nodad
            for pair in client/c0 wire/c1 wire/s1 server/s0; do
              ip -n ${{pair%/*}} link set ${{pair#*/}} up
            done
            for to in {SERVER_V4} {SERVER_V6}; do
              ip -n client neigh replace $to lladdr 02:00:00:00:00:02 dev c0 nud permanent
            done
            for to in {CLIENT_V4} {CLIENT_V6}; do
              ip -n server neigh replace $to lladdr 02:00:00:00:00:01 dev s0 nud permanent
            done
            for prefix in {' '.join(SERVER_PREFIXES)}; do
              ip -n server route add local $prefix dev lo
            done
        """)
        self.give_client_v6()
        _shell(f"ip -n client route add default via {SERVER_V4} dev c0")
        for namespace, interface in (("client", "c0"), ("server", "s0")):
            with in_namespace(namespace):
                _checksums_in_software(interface)

    # --- the client's network ---

    def give_client_v6(self) -> None:
        _shell(f"""
            ip -n client -6 address replace {CLIENT_V6}/64 dev c0 nodad
            ip -n client -6 route replace default via {SERVER_V6} dev c0
        """)

    def take_client_v6(self) -> None:
        """No IPv6 address but ::1 and no IPv6 route (a host with IPv4 only)."""
        _shell(f"""
            ip -n client -6 route del default
            ip -n client -6 address del {CLIENT_V6}/64 dev c0
        """)

    def take_client_offline(self) -> None:
        """No link, and so no route."""
        self.client_ip("link set c0 down")

    def bring_client_online(self) -> None:
        self.client_ip("link set c0 up")
        self.give_client_v6()
        self.client_ip(f"route replace default via {SERVER_V4} dev c0")
        for to in (SERVER_V4, SERVER_V6):
            self.client_ip(f"neigh replace {to} lladdr 02:00:00:00:00:02 dev c0 nud permanent")

    def client_ip(self, arguments: str) -> None:
        """`ip` in the client's namespace, for routes of one test's own."""
        _shell(f"ip -n client {arguments}")

    def write_resolv_conf(self, *servers: str, options: str = "") -> None:
        """Replaces /etc/resolv.conf as programs do: a new file, renamed over the old."""
        lines = [f"nameserver {server}" for server in servers] + ([f"options {options}"] if options else [])
        _replace("/etc/resolv.conf", "\n".join(lines) + "\n")

    def write_hosts(self, lines: str) -> None:
        _replace("/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n" + lines)

    def packets_without_a_route(self, namespace: str) -> int:
        """How often a program there sent to where nothing leads: out of the lab, that is."""
        v4, v6 = self.run(namespace, ["cat", "/proc/net/snmp"]), self.run(namespace, ["cat", "/proc/net/snmp6"])
        names, numbers = (line.split() for line in v4.stdout.splitlines() if line.startswith("Ip:"))
        return int(numbers[names.index("OutNoRoutes")]) + int(v6.stdout.split("Ip6OutNoRoutes")[1].split()[0])

    # --- processes ---

    def command(self, namespace: str, arguments: list[str]) -> list[str]:
        return ["nsenter", f"--net=/run/netns/{namespace}", "--", *arguments]

    def start(self, namespace: str, arguments: list[str], **options) -> subprocess.Popen:
        """A process that ends with the test program at the latest."""
        process = subprocess.Popen(self.command(namespace, arguments), preexec_fn=die_with_parent, **options)
        with self._lock:
            self._processes.append(process)
        return process

    def run(self, namespace: str, arguments: list[str], timeout: float = 30.0) -> subprocess.CompletedProcess:
        """Runs to the end; output as text."""
        return subprocess.run(self.command(namespace, arguments), capture_output=True, text=True, timeout=timeout,
                              check=False)

    # --- the server's packet filter ---

    def reset(self) -> None:
        """As new: no rules on the link or in the filter, the client's IPv6 in place."""
        self.link.reset()
        self._filter = []
        self._nft("add table inet lab\ndelete table inet lab\nadd table inet lab\n"
                  "add chain inet lab input { type filter hook input priority 0; policy accept; }")
        self.write_hosts("")

    def drop(self, *addresses: str, port: int | None = None) -> None:
        """What arrives for these addresses or prefixes is lost: SYNs are never answered."""
        self._rules(addresses, port, lambda family: "drop")

    def refuse(self, *addresses: str, port: int | None = None) -> None:
        """TCP is answered with RST: connection refused."""
        self._rules(addresses, port, lambda family: "reject with tcp reset", protocol="tcp")

    def prohibit(self, *addresses: str, port: int | None = None) -> None:
        """ICMP "administratively prohibited", as a firewall that says so."""
        self._rules(addresses, port, lambda family: f"reject with {_icmp(family)} type admin-prohibited")

    def unreachable(self, *addresses: str, port: int | None = None) -> None:
        """ICMP "no route": connect() fails with ENETUNREACH."""
        self._rules(addresses, port, lambda family: f"reject with {_icmp(family)} type "
                    + ("no-route" if family == 6 else "net-unreachable"))

    def accept_again(self, *addresses: str) -> None:
        """Removes the rules of these addresses or prefixes, or all rules, while others stay in force."""
        gone = set(addresses)
        self._filter = [(address, rule) for address, rule in self._filter if gone and address not in gone]
        self._write_filter()

    def _rules(self, addresses, port, verdict, protocol: str = "") -> None:
        for address in addresses:
            family = 6 if ":" in address else 4
            match = f"{'ip6' if family == 6 else 'ip'} daddr {address}"
            if port is not None:
                match += f" meta l4proto {{ tcp, udp }} th dport {port}"
            if protocol:
                match += f" meta l4proto {protocol}"
            self._filter.append((address, f"add rule inet lab input {match} {verdict(family)}"))
        self._write_filter()

    def _write_filter(self) -> None:
        """One transaction: no packet meets half of it."""
        self._nft("\n".join(["flush chain inet lab input", *(rule for _, rule in self._filter)]))

    def _nft(self, text: str) -> None:
        run = subprocess.run(self.command("server", ["nft", "-f", "-"]), input=text, text=True, capture_output=True,
                             check=False)
        if run.returncode != 0:
            raise RuntimeError(f"nft: {run.stderr}\n{text}")

    def close(self) -> None:
        self.link.close()
        for process in self._processes:
            if process.poll() is None:
                process.kill()
            process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)


def _icmp(family: int) -> str:
    return "icmpv6" if family == 6 else "icmp"


def _replace(path: str, text: str) -> None:
    fresh = path + ".new"
    Path(fresh).write_text(text, encoding="utf-8")
    os.replace(fresh, path)


def _shell(script: str) -> None:
    run = subprocess.run(["sh", "-ec", script], capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise RuntimeError(f"{run.stderr.strip()}\nwhile running:{script}")
