#!/usr/bin/env python3
"""Lookups over UDP, TLS and HTTPS, ours beside those of dnsperf, from one real unbound. Medians of several rounds.

    encrypted.py [--rounds N] [--count N] [--pinned] MEASURE_LOOKUPS

Runs in network namespaces of its own. All variants take turns in each round, so that a busy machine hurts them alike:
ratios of one round are what counts. --pinned: the server has one processor, and all that asks has another.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))

import network_lab  # noqa: E402
from certificates import Authority  # noqa: E402
from unbound_server import UnboundServer  # noqa: E402

ZONE = "bench.test"
WINDOW = 32
RTT_MS = 4.0
PORT, TLS, HTTPS = 5300, 8853, 8443
#: Every name below the zone has the address of the zone itself, one that this host can reach.
ANY_NAME = f'  local-zone: "{ZONE}." redirect\n  local-data: "{ZONE}. 300 IN A 127.0.0.1"\n'
OURS = {"udp": ("", PORT), "dot": ("tls://", TLS), "doh": ("https://", HTTPS)}


class Bench:
    """The servers and the two programs that ask them."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._arguments = arguments
        self._lab = network_lab.NetworkLab()
        self._authority = Authority(self._lab.directory)
        self._certificate = self._authority.issue("127.0.0.1", "127.0.0.2", "192.0.2.53", "localhost")
        self._servers: list[UnboundServer] = []
        self._names = self._lab.directory / "names"
        self._names.write_text("".join(f"{i}.{ZONE} A\n" for i in range(arguments.count)), encoding="utf-8")

    def close(self) -> None:
        for server in self._servers:
            server.close()
        self._lab.close()

    def serve(self, address: str, namespace: str | None = None, more: str = "") -> None:
        pinned = ["taskset", "-c", "1"] if self._arguments.pinned else []

        def start(command: list[str]) -> subprocess.Popen:
            with (self._lab.directory / "unbound.log").open("ab") as log:
                inside = self._lab.command(namespace, command) if namespace else command
                return subprocess.Popen(pinned + inside, stdout=log, stderr=log,
                                        preexec_fn=network_lab.die_with_parent)

        server = UnboundServer({}, directory=self._lab.directory / address, address=address, port=PORT,
                               zone="other.test", connections=1000, start=start, more=ANY_NAME + more,
                               certificate=self._certificate, tls=TLS, https=HTTPS)
        self._servers.append(server)
        with network_lab.in_namespace(namespace or "client") if namespace else open(os.devnull, encoding="ascii"):
            asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with asking:
            server.wait_until_ready(asking)

    def ours(self, mode: str, window: int, count: int, *more: str, address: str = "127.0.0.1",
             namespace: str | None = None) -> dict:
        scheme, port = OURS[mode]
        path = "/dns-query" if mode == "doh" else ""
        command = [self._arguments.program, f"{scheme}{address}:{port}{path}", ZONE, str(window), str(count),
                   "--ca-file", str(self._authority.file), *more]
        return json.loads(self._run(self._lab.command(namespace, command) if namespace else command))

    def dnsperf(self, mode: str, clients: int, window: int = WINDOW, seconds: float | None = None) -> dict:
        uri = ["-O", f"doh-uri=https://localhost:{HTTPS}/dns-query"] if mode == "doh" else []
        method = ["-O", "doh-method=POST"] if mode == "doh" else []
        before = os.times()
        said = self._run(["dnsperf", "-m", mode, "-s", "127.0.0.1", "-p", str(OURS[mode][1]), "-d", str(self._names),
                          *(["-l", str(seconds)] if seconds else ["-n", "1"]), "-c", str(clients), "-q", str(window),
                          *uri, *method])
        after = os.times()
        lost = int(re.search(r"Queries lost:\s+(\d+)", said).group(1))
        if lost:
            print(f"dnsperf lost {lost} queries ({mode})", file=sys.stderr)
        used = after.children_user - before.children_user + after.children_system - before.children_system
        return {"rate": float(re.search(r"Queries per second:\s+([\d.]+)", said).group(1)),
                "least_us": float(re.search(r"\(min ([\d.]+)", said).group(1)) * 1e6,
                "processor_us": used / self._arguments.count * 1e6}

    def _run(self, command: list[str]) -> str:
        pinned = ["taskset", "-c", "0"] if self._arguments.pinned else []
        run = subprocess.run(pinned + command, capture_output=True, text=True, timeout=300, check=False)
        if run.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}: {run.stdout}{run.stderr}")
        return run.stdout

    # --- the figures ---

    def throughput(self) -> None:
        variants = {}
        for mode in OURS:
            for n in (1, 8):
                variants[f"{mode} {n}", "ours"] = lambda m=mode, n=n: self.ours(
                    m, WINDOW, self._arguments.count, "--resolvers", str(n))
                if n > 1:
                    variants[f"{mode} {n}", "threads"] = lambda m=mode, n=n: self.ours(
                        m, WINDOW, self._arguments.count, "--resolvers", str(n), "--threads")
                variants[f"{mode} {n}", "dnsperf"] = lambda m=mode, n=n: self.dnsperf(m, n)
        seen = self._rounds(variants)
        print(f"\nlookups a second, window {WINDOW}, {self._arguments.count} lookups, over so many connections: ours, "
              "dnsperf, ratio of a round; processor time each, us")
        for (what, who), mine in seen.items():
            if who == "dnsperf":
                continue
            other = seen[what, "dnsperf"]
            print(f"  {what}{', threads' if who == 'threads' else '':10}: {median(mine, 'rate'):8.0f} "
                  f"{median(other, 'rate'):8.0f} {ratio(mine, other, 'rate'):5.2f} x;  "
                  f"{median(mine, 'processor_us'):6.1f} {median(other, 'processor_us'):6.1f}")

    def latency(self) -> None:
        variants = {}
        for mode in OURS:
            variants[mode, "one"] = lambda m=mode: self.ours(m, 1, 2000)
            variants[mode, "both"] = lambda m=mode: self.ours(m, 1, 200, "--both")
            variants[mode, "dnsperf"] = lambda m=mode: self.dnsperf(m, 1, 1, 1)
        seen = self._rounds(variants)
        print("\na lookup over an open connection, window 1: p50 and p99, us; p50 to that of udp; A and AAAA, p50; the least "
              "that dnsperf has seen")
        for mode in OURS:
            one = seen[mode, "one"]
            print(f"  {mode}: {median(one, 'p50_us'):8.1f} {median(one, 'p99_us'):8.1f} "
                  f"{ratio(one, seen['udp', 'one'], 'p50_us'):5.2f} x {median(seen[mode, 'both'], 'p50_us'):8.1f} "
                  f"{median(seen[mode, 'dnsperf'], 'least_us'):8.1f}")

    def far(self) -> None:
        """Over a wire of its own, with a round trip time, to a server that soon closes idle connections."""
        self._lab.link.set("*", rtt_ms=RTT_MS)
        self.serve("192.0.2.53", "server", "  tcp-idle-timeout: 100\n")
        late = self._round_trip_ms("192.0.2.53") - RTT_MS
        self._lab.link.set("*", rtt_ms=RTT_MS - late)
        print(f"\nthe wire was {late:.2f} ms late in each round trip, and was made so much shorter: a bare connect takes "
              f"{self._round_trip_ms('192.0.2.53'):.2f} ms")
        far = {"address": "192.0.2.53", "namespace": "client"}
        variants = {}
        for mode in OURS:
            variants[mode, "cold"] = lambda m=mode: self.ours(m, 1, 10, "--cold", **far)
            variants[mode, "again"] = lambda m=mode: self.ours(m, 1, 6, "--pause", "400", **far)
        seen = self._rounds(variants)
        print(f"\nwith a round trip time of {RTT_MS} ms, p50 in ms: first lookup of a new resolver; first lookup after the "
              "server has closed the connection")
        for mode in OURS:
            print(f"  {mode}: {median(seen[mode, 'cold'], 'p50_us') / 1000:6.1f} "
                  f"{median(seen[mode, 'again'], 'p50_us') / 1000:6.1f}")

    def _round_trip_ms(self, address: str) -> float:
        """What a bare connect(2) takes, which is one round trip of the wire."""
        seen = []
        for _ in range(50):
            with network_lab.in_namespace("client"):
                connecting = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            with connecting:
                began = time.monotonic()
                connecting.connect((address, PORT))
                seen.append((time.monotonic() - began) * 1000)
        return statistics.median(seen)

    def handshakes(self) -> None:
        """Without a round trip time: what a handshake costs, full and resumed."""
        self.serve("127.0.0.2", None, "  tcp-idle-timeout: 100\n")
        near = {"address": "127.0.0.2"}
        variants = {}
        for mode in ("dot", "doh"):
            variants[mode, "cold"] = lambda m=mode: self.ours(m, 1, 20, "--cold", **near)
            variants[mode, "again"] = lambda m=mode: self.ours(m, 1, 6, "--pause", "300", **near)
        seen = self._rounds(variants)
        print("\nwithout a round trip time, p50 in ms: first lookup of a new resolver; after the server has closed")
        for mode in ("dot", "doh"):
            print(f"  {mode}: {median(seen[mode, 'cold'], 'p50_us') / 1000:6.2f} "
                  f"{median(seen[mode, 'again'], 'p50_us') / 1000:6.2f}")

    def memory(self) -> None:
        many = 200
        variants = {m: lambda m=m: self.ours(m, many, many, "--resolvers", str(many)) for m in OURS}
        variants["none"] = lambda: self.ours("dot", 1, 0, "--resolvers", str(many))
        seen = self._rounds(variants)
        print(f"\nmemory of a resolver that has looked up one name, KiB ({many} resolvers); beyond one that has not")
        plain = median(seen["none"], "resident_kib") / many
        for mode in OURS:
            each = median(seen[mode], "resident_kib") / many
            print(f"  {mode}: {each:6.1f} {each - plain:6.1f}")

    def _rounds(self, variants: dict) -> dict:
        seen = {key: [] for key in variants}
        for _ in range(self._arguments.rounds):
            for key, run in variants.items():
                seen[key].append(run())
        return seen


def median(figures: list[dict], key: str) -> float:
    return statistics.median(f[key] for f in figures)


def ratio(mine: list[dict], other: list[dict], key: str) -> float:
    return statistics.median(a[key] / b[key] for a, b in zip(mine, other))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", help="measure_lookups, as built")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=30_000, help="lookups of one throughput run")
    parser.add_argument("--pinned", action="store_true", help="server and clients on a processor each")
    parser.add_argument("--only", nargs="*", default=["throughput", "latency", "handshakes", "far", "memory"])
    arguments = parser.parse_args()
    if not network_lab.is_inside():
        missing = [p for p in ("dnsperf", "unbound", "openssl", "taskset") if shutil.which(p) is None]
        reason = network_lab.why_not() or (f"not installed: {', '.join(missing)}" if missing else None)
        if reason is not None:
            sys.exit(f"encrypted.py: not possible here: {reason}")
        network_lab.start_inside([sys.executable, *sys.argv])
    bench = Bench(arguments)
    try:
        bench.serve("127.0.0.1")
        for figures in arguments.only:
            getattr(bench, figures)()
    finally:
        bench.close()


if __name__ == "__main__":
    main()
