"""Runs the command under test and reads its JSON: the only place that knows its shape (docs/cli.md)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from functools import cached_property

from network_lab import NetworkLab, wait_until


@dataclass
class Attempt:
    """One try of one address. Times in milliseconds since the operation began; None where it never started or ended."""

    address: str
    port: int
    started: float | None
    ended: float | None
    outcome: str
    stage: str
    errno: int | None
    detail: str

    @property
    def is_v6(self) -> bool:
        return ":" in self.address


@dataclass
class Query:
    """One question to one server. Times as above."""

    name: str
    type: str
    source: str
    upstream: str
    transport: str
    started: float
    ended: float | None
    outcome: str
    rcode: str | None


@dataclass
class Story:
    """One resolve or connect, as the command told it."""

    document: dict

    @property
    def target(self) -> str:
        return self.document["target"]

    @property
    def took_ms(self) -> float:
        return self.document["took_ms"]

    @property
    def succeeded(self) -> bool:
        return self.document["result"] is not None

    @property
    def error(self) -> dict:
        """Keys `code`, `message` and `errno`."""
        return self.document["error"]

    @property
    def addresses(self) -> list[str]:
        """The answer of a resolve."""
        return [e["address"] for e in self.document["result"]["endpoints"]]

    @property
    def peer(self) -> str:
        """The address that a connect ended up with."""
        return self.document["result"]["endpoint"]["address"]

    @property
    def notes(self) -> list[str]:
        return self.document["trace"]["notes"]

    @cached_property
    def queries(self) -> list[Query]:
        return [_query(q) for q in self.document["trace"]["queries"]]

    @cached_property
    def all_attempts(self) -> list[Attempt]:
        return [_attempt(a) for a in self.document["trace"]["attempts"]]

    @cached_property
    def attempts(self) -> list[Attempt]:
        """Those that were started, in the order of their start."""
        return sorted((a for a in self.all_attempts if a.started is not None), key=lambda a: a.started)

    @property
    def winner(self) -> Attempt | None:
        return next((a for a in self.all_attempts if a.outcome == "won"), None)


def _end(record: dict) -> float | None:
    return None if record["took_ms"] is None else record["started_ms"] + record["took_ms"]


def _query(q: dict) -> Query:
    return Query(q["name"], q["type"], q["from"], q["upstream"] or "", q["transport"] or "", q["started_ms"], _end(q),
                 q["outcome"], q["rcode"])


def _attempt(a: dict) -> Attempt:
    return Attempt(a["address"], a["port"], a["started_ms"], _end(a), a["outcome"], a["stage"],
                   (a["error"] or {}).get("errno"), a["detail"] or "")


@dataclass
class Run:
    """One run of the command, ended."""

    arguments: list[str]
    exit_code: int
    stdout: str
    stderr: str
    wall_ms: float

    @cached_property
    def _documents(self) -> list[dict]:
        documents = read_documents(self.stdout) if "json" in self.arguments else []
        assert documents, f"no JSON came out: {self}"
        assert all(d["schema"] == "lbresolve/1" for d in documents)
        return documents

    @cached_property
    def stories(self) -> list[Story]:
        """One for each operation, in the order in which they ended."""
        return [Story(d) for d in self._documents if d["kind"] != "summary"]

    @property
    def story(self) -> Story:
        return self.stories[0]

    def __getattr__(self, name: str):
        """What the only operation has, this has: run.winner, run.took_ms."""
        if name.startswith("_") or not hasattr(Story, name):
            raise AttributeError(name)
        return getattr(self.story, name)

    def __str__(self) -> str:
        return (f"{' '.join(self.arguments)}\nexit code {self.exit_code} after {self.wall_ms:.0f} ms\n"
                f"{self.stdout}{self.stderr}")


def read_documents(text: str) -> list[dict]:
    """One JSON document, or several one after the other."""
    decoder, documents, at = json.JSONDecoder(), [], 0
    while text[at:].strip():
        at += len(text[at:]) - len(text[at:].lstrip())
        document, at = decoder.raw_decode(text, at)
        documents.append(document)
    return documents


class Running:
    """The command under way, its JSON read as it comes: one operation a line, as `--count` writes it."""

    def __init__(self, process: subprocess.Popen, arguments: list[str]) -> None:
        self.stories: list[Story] = []     # so far, in the order in which they ended
        self.ended: list[float] = []       # when each one came, on the monotonic clock
        self._process, self._arguments = process, arguments
        self._errors = ""
        self._readers = [threading.Thread(target=read, daemon=True) for read in (self._read, self._read_errors)]
        for reader in self._readers:
            reader.start()

    def _read(self) -> None:
        for line in self._process.stdout:
            document = json.loads(line)
            if document["kind"] != "summary":
                self.ended.append(time.monotonic())
                self.stories.append(Story(document))

    def _read_errors(self) -> None:
        self._errors = self._process.stderr.read()

    def wait_for(self, count: int, timeout: float = 15.0) -> None:
        """Waits until so many more operations than now are over."""
        wanted = len(self.stories) + count
        self.wait_until(lambda: len(self.stories) >= wanted, timeout, f"the end of {count} more operations")

    def wait_until(self, condition, timeout: float = 15.0, what: str = "condition") -> None:
        """Waits for what the operations are to bring about."""
        wait_until(lambda: condition() or self._process.poll() is not None, timeout, what)
        assert condition(), f"the command ended before {what}\n{self}"

    def stop(self) -> list[Story]:
        """Interrupts the command, unless it has ended; gives every operation there was."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        return self.finish()

    def finish(self, timeout: float = 30.0) -> list[Story]:
        """Waits for the end; gives every operation there was."""
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise AssertionError(f"still running after {timeout} s\n{self}") from None
        for reader in self._readers:
            reader.join(5)
        self._process.stdout.close()
        self._process.stderr.close()
        return self.stories

    def kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()

    def __str__(self) -> str:
        return f"{' '.join(self._arguments)}: {len(self.stories)} operations\n{self._errors}"


class Client:
    """The command in the client's namespace."""

    def __init__(self, lab: NetworkLab, program: str, namespace: str = "client") -> None:
        self._lab = lab
        self._program = program
        self._namespace = namespace
        self._running: list[Running] = []

    def start(self, *arguments: str) -> subprocess.Popen:
        """The command under way, for tests that change the world meanwhile or interrupt it. It finds no place to keep
        what it learns, so that no run knows of another, unless a test gives it one with `--state`."""
        homeless = {name: value for name, value in os.environ.items() if name not in ("HOME", "XDG_STATE_HOME")}
        return self._lab.start(self._namespace, [self._program, *arguments], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True, env=homeless)

    def run(self, *arguments: str, timeout: float = 30.0) -> Run:
        """Runs to the end, whatever the exit code."""
        began = time.monotonic()
        process = self.start(*arguments)
        return self.finish(process, list(arguments), began, timeout)

    def finish(self, process: subprocess.Popen, arguments: list[str], began: float, timeout: float = 30.0) -> Run:
        try:
            stdout, stderr = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            stdout, stderr = process.communicate()
            raise AssertionError(f"{' '.join(arguments)} still ran after {timeout} s\n{stdout}{stderr}") from None
        wall = (time.monotonic() - began) * 1000
        return Run([self._program, *arguments], process.returncode, stdout, stderr, wall)

    def connect(self, target: str, *arguments: str, timeout: float = 30.0) -> Run:
        return self.run("connect", target, "--format", "json", *arguments, timeout=timeout)

    def connect_on(self, target: str, *arguments: str) -> Running:
        """Connects again and again (`--count`) while the test goes on."""
        running = Running(self.start("connect", target, "--format", "json", *arguments), list(arguments))
        self._running.append(running)
        return running

    def close(self) -> None:
        """Ends what a failed test left running."""
        for running in self._running:
            running.kill()

    def resolve(self, target: str, *arguments: str, timeout: float = 30.0) -> Run:
        return self.run("resolve", target, "--format", "json", *arguments, timeout=timeout)


def interrupt(process: subprocess.Popen) -> float:
    """Ctrl-C; gives the milliseconds until the process had ended."""
    before = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.wait(10)
    return (time.monotonic() - before) * 1000
