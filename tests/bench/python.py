#!/usr/bin/env python3
"""Connects from Python, ours beside the usual ways: healthy, and with two of eight addresses dropped.

    tests/support/python_environment.py build/release tests/bench/python.py [--rounds N] [--count N]

Runs in network namespaces of its own: one real unbound, one server that accepts on every address. Each way has a
process of its own, and all take turns in each round, so that a busy machine hurts them alike.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
import timeit
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))

ZONE, PORT = "bench.test", 8080
ADDRESSES = [f"203.0.113.{n}" for n in range(1, 9)]
DROPPED = ADDRESSES[2:4]
TIMEOUT = 1.0   # seconds, an address for socket.create_connection(); all of them for the others

# --- the ways, in the client's process ---


def measure_waiting(connect, count: int) -> list[float]:
    times = []
    for _ in range(count):
        began = time.perf_counter()
        try:
            connect().close()
        except OSError:
            pass
        times.append(time.perf_counter() - began)
    return times


def ours(count: int) -> list[float]:
    import lbresolve

    return measure_waiting(lambda: lbresolve.create_connection((ZONE, PORT), TIMEOUT), count)


def of_socket(count: int) -> list[float]:
    return measure_waiting(lambda: socket.create_connection((ZONE, PORT), TIMEOUT), count)


async def measure_async(connect, count: int) -> list[float]:
    times = []
    for _ in range(count):
        began = time.perf_counter()
        try:
            close = await connect()
        except (OSError, asyncio.TimeoutError):
            close = None
        times.append(time.perf_counter() - began)
        if close:
            close()
    return times


def ours_async(count: int) -> list[float]:
    from lbresolve import aio

    async def connect():
        _, writer = await aio.open_connection(ZONE, PORT, timeout=TIMEOUT)
        return writer.close

    return asyncio.run(measure_async(connect, count))


def of_asyncio(count: int) -> list[float]:
    async def connect():
        _, writer = await asyncio.wait_for(asyncio.open_connection(ZONE, PORT, happy_eyeballs_delay=0.25), TIMEOUT)
        return writer.close

    return asyncio.run(measure_async(connect, count))


def of_aiohttp(count: int) -> list[float]:
    """Its default connector, over HTTP without keep-alive: what counts is the time it takes to make the connection."""
    import aiohttp

    times: list[float] = []

    async def began(_, context, __) -> None:
        context.began = time.perf_counter()

    async def ended(_, context, __) -> None:
        times.append(time.perf_counter() - context.began)

    async def main() -> None:
        tracing = aiohttp.TraceConfig()
        tracing.on_connection_create_start.append(began)
        tracing.on_connection_create_end.append(ended)
        async with aiohttp.ClientSession(trace_configs=[tracing], timeout=aiohttp.ClientTimeout(total=10)) as session:
            for _ in range(count):
                async with session.get(f"http://{ZONE}:{PORT}/", headers={"Connection": "close"}) as reply:
                    await reply.read()

    asyncio.run(main())
    return times


WAYS = {"lbresolve.create_connection": ours, "socket.create_connection": of_socket,
        "lbresolve.aio.open_connection": ours_async, "asyncio.open_connection, 0.25": of_asyncio,
        "aiohttp's connector": of_aiohttp}


def picks() -> dict[str, float]:
    """Nanoseconds of processor time a pick, the least of many turns, beside a method of Python that does nothing."""
    import lbresolve

    class Nothing:
        def pick(self, target):
            return target

    resolver, target = lbresolve.Resolver(), f"{ZONE}:{PORT}"
    resolver.pick(target)
    count = 20_000

    def nanoseconds(of) -> float:
        timer = timeit.Timer("of.pick(target)", globals={"of": of, "target": target}, timer=time.process_time)
        return min(timer.repeat(repeat=60, number=count)) / count * 1e9

    return {"pick": nanoseconds(resolver), "a method that does nothing": nanoseconds(Nothing())}


# --- the servers ---


async def serve() -> None:
    """Accepts on every address of the namespace, and answers what looks like HTTP."""

    class Server(asyncio.Protocol):
        def connection_made(self, transport) -> None:
            self.transport = transport

        def data_received(self, data) -> None:
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            self.transport.close()

    server = await asyncio.get_running_loop().create_server(Server, "0.0.0.0", PORT, backlog=4096)
    print("ready", flush=True)
    await server.serve_forever()


class Bench:
    def __init__(self, arguments: argparse.Namespace) -> None:
        from network_lab import NetworkLab, die_with_parent, in_namespace
        from unbound_server import UnboundServer

        self._arguments = arguments
        self.lab = NetworkLab()
        self.lab.write_resolv_conf("192.0.2.53")
        self.lab.reset()
        self._server = self.lab.start("server", [sys.executable, __file__, "--serve"], stdout=subprocess.PIPE)
        assert self._server.stdout.readline() == b"ready\n"

        def start(command: list[str]) -> subprocess.Popen:
            with (self.lab.directory / "unbound.log").open("ab") as log:
                return subprocess.Popen(self.lab.command("server", command), stdout=log, stderr=log,
                                        preexec_fn=die_with_parent)

        self._unbound = UnboundServer({ZONE: ADDRESSES}, directory=self.lab.directory / "unbound", address="192.0.2.53",
                                      zone=ZONE, round_robin=True, start=start)
        with in_namespace("client"):
            asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with asking:
            self._unbound.wait_until_ready(asking)

    def close(self) -> None:
        self._unbound.close()
        self.lab.close()

    def _client(self, *what: str):
        done = self.lab.run("client", [sys.executable, __file__, *what], timeout=600)
        if done.returncode != 0:
            sys.exit(done.stdout + done.stderr)
        return json.loads(done.stdout)

    def compare(self, title: str, count: int) -> None:
        seen: dict[str, list[float]] = {way: [] for way in WAYS}
        for _ in range(self._arguments.rounds):
            for way in WAYS:
                seen[way] += self._client("--way", way, "--count", str(count))
        print(f"\n{title}: connects a second, p50, p90, p99 in ms; {self._arguments.rounds} x {count} in turn")
        for way, times in seen.items():
            times.sort()
            at = [times[min(len(times) - 1, int(len(times) * q))] * 1000 for q in (0.5, 0.9, 0.99)]
            print(f"  {way:30} {len(times) / sum(times):8.0f}/s " + " ".join(f"{v:9.3f}" for v in at))

    def healthy(self) -> None:
        self.compare("all addresses healthy", self._arguments.count)

    def dropped(self) -> None:
        self.lab.drop(*DROPPED)
        self.compare(f"{len(DROPPED)} of {len(ADDRESSES)} addresses dropped", self._arguments.count // 10)
        self.lab.accept_again()

    def pick(self) -> None:
        rounds = [self._client("--picks") for _ in range(self._arguments.rounds)]
        print("\n" + "; ".join(f"{what}: {statistics.median(r[what] for r in rounds):.0f} ns" for what in rounds[0]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--count", type=int, default=1000, help="connects of one round; a tenth where some are dropped")
    parser.add_argument("--only", nargs="*", default=["healthy", "dropped", "pick"])
    for hidden in ("--way", "--picks", "--serve"):
        parser.add_argument(hidden, help=argparse.SUPPRESS, **({} if hidden == "--way" else {"action": "store_true"}))
    arguments = parser.parse_args()
    if arguments.way:
        return print(json.dumps(WAYS[arguments.way](arguments.count)))
    if arguments.picks:
        return print(json.dumps(picks()))
    if arguments.serve:
        return asyncio.run(serve())

    import network_lab

    if not network_lab.is_inside():
        reason = network_lab.why_not() or (None if shutil.which("unbound", path=os.environ["PATH"] + ":/usr/sbin")
                                           else "unbound is not installed")
        if reason is not None:
            sys.exit(f"python.py: not possible here: {reason}")
        network_lab.start_inside([sys.executable, *sys.argv])
    bench = Bench(arguments)
    try:
        for figures in arguments.only:
            getattr(bench, figures)()
    finally:
        bench.close()


if __name__ == "__main__":
    main()
