"""Runs the command under test and reads its JSON: the only place that knows its shape (docs/cli.md)."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from dataclasses import dataclass, field
from functools import cached_property

from network_lab import NetworkLab


@dataclass
class Attempt:
    """One try of one address. Times in milliseconds since the operation began."""

    address: str
    port: int
    started: float | None
    ended: float | None
    outcome: str
    stage: str
    code: str
    detail: str

    @property
    def is_v6(self) -> bool:
        return ":" in self.address


@dataclass
class Run:
    """One run of the command, ended."""

    arguments: list[str]
    exit_code: int
    stdout: str
    stderr: str
    wall_ms: float
    began: float = 0.0          # time.monotonic() before the start of the process
    documents: list[dict] = field(default_factory=list)

    @cached_property
    def document(self) -> dict:
        assert self.documents, f"no JSON came out: {self}"
        return self.documents[0]

    @property
    def trace(self) -> dict:
        return self.document["trace"]

    @property
    def took_ms(self) -> float:
        return self.trace["took_ms"]

    @property
    def queries(self) -> list[dict]:
        return self.trace["queries"]

    @cached_property
    def attempts(self) -> list[Attempt]:
        """Those that were started, in the order of their start."""
        return sorted((a for a in self.all_attempts if a.outcome != "skipped"), key=lambda a: a.started)

    @cached_property
    def all_attempts(self) -> list[Attempt]:
        return [_attempt(a) for a in self.trace["attempts"]]

    @property
    def winner(self) -> Attempt | None:
        return next((a for a in self.all_attempts if a.outcome == "won"), None)

    @property
    def endpoints(self) -> list[str]:
        """The addresses of a resolve."""
        return [split_endpoint(e)[0] for e in self.document["result"]["endpoints"]]

    def __str__(self) -> str:
        return (f"{' '.join(self.arguments)}\nexit code {self.exit_code} after {self.wall_ms:.0f} ms\n"
                f"{self.stdout}{self.stderr}")


def split_endpoint(text: str) -> tuple[str, int]:
    """"192.0.2.1:443" or "[2001:db8::1]:443"; an address alone has port 0."""
    if text.startswith("["):
        address, _, rest = text[1:].partition("]")
        return address, int(rest.lstrip(":") or 0)
    if text.count(":") == 1:
        address, _, port = text.partition(":")
        return address, int(port)
    return text, 0


def _attempt(record: dict) -> Attempt:
    address, port = split_endpoint(record["endpoint"])
    return Attempt(address, port, record.get("started_ms"), record.get("ended_ms"), record["outcome"],
                   record.get("stage", ""), str(record.get("code") or ""), record.get("detail") or "")


def read_documents(text: str) -> list[dict]:
    """One JSON document, or several one after the other."""
    decoder, documents, at = json.JSONDecoder(), [], 0
    while text[at:].strip():
        at += len(text[at:]) - len(text[at:].lstrip())
        document, at = decoder.raw_decode(text, at)
        documents.append(document)
    return documents


class Client:
    """The command in the client's namespace."""

    def __init__(self, lab: NetworkLab, program: str, namespace: str = "client") -> None:
        self._lab = lab
        self._program = program
        self._namespace = namespace

    def start(self, *arguments: str) -> subprocess.Popen:
        """The command under way, for tests that change the world meanwhile or interrupt it."""
        return self._lab.start(self._namespace, [self._program, *arguments], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)

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
        run = Run([self._program, *arguments], process.returncode, stdout, stderr, wall, began)
        if "json" in arguments and stdout.strip():
            run.documents = read_documents(stdout)
        return run

    def connect(self, target: str, *arguments: str, timeout: float = 30.0) -> Run:
        return self.run("connect", target, "--format", "json", *arguments, timeout=timeout)

    def resolve(self, target: str, *arguments: str, timeout: float = 30.0) -> Run:
        return self.run("resolve", target, "--format", "json", *arguments, timeout=timeout)


def interrupt(process: subprocess.Popen) -> float:
    """Ctrl-C; gives the milliseconds until the process had ended."""
    before = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.wait(10)
    return (time.monotonic() - before) * 1000
