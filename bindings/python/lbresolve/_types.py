"""What calls give back: plain values, frozen, with units in the names.

The field names are the keys of `lbresolve --format json`, and `to_dict()` gives the same document (docs/cli.md).
"""

from __future__ import annotations

import dataclasses
import socket as _socket
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Dict, Mapping, Optional, Tuple, Type, TypeVar, Union

if TYPE_CHECKING:
    from types import TracebackType

    from ._native import Outcome

SCHEMA = "lbresolve/1"

_V = TypeVar("_V", bound="_Value")


class _Value:
    """A dataclass that is made from, and makes, one object of the JSON document."""

    #: Fields whose names are words of Python's, by key.
    _renamed: ClassVar[Mapping[str, str]] = {}

    @classmethod
    def _from(cls: Type[_V], document: Mapping[str, Any]) -> _V:
        return cls(**{cls._renamed.get(key, key): value for key, value in document.items()})

    def to_dict(self) -> Dict[str, Any]:
        """As JSON has it: dicts, lists, texts and numbers."""
        keys = {name: key for key, name in self._renamed.items()}
        return {
            keys.get(f.name, f.name): _plain(getattr(self, f.name))
            for f in dataclasses.fields(self)  # type: ignore[arg-type]
        }


def _plain(value: Any) -> Any:
    if isinstance(value, _Value):
        return value.to_dict()
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return value


class _AtEndpoint(_Value):
    """One whose JSON object begins with the keys of its endpoint."""

    @classmethod
    def _from(cls: Type[_V], document: Mapping[str, Any]) -> _V:
        rest = {k: v for k, v in document.items() if k not in ("address", "port", "family")}
        if "error" in rest and rest["error"] is not None:
            rest["error"] = SystemFailure._from(rest["error"])
        return cls(endpoint=Endpoint(document["address"], document["port"], document["family"]), **rest)  # type: ignore[call-arg]

    def to_dict(self) -> Dict[str, Any]:
        out = super().to_dict()
        endpoint: Dict[str, Any] = out.pop("endpoint")
        return {**endpoint, **out}


@dataclass(frozen=True)
class Endpoint(_Value):
    """An IP address and a port; `port` is None where none was given."""

    address: str
    port: Optional[int]
    family: str  #: "ipv4" or "ipv6"

    @property
    def sockaddr(self) -> Union[Tuple[str, int], Tuple[str, int, int, int]]:
        """As `socket.connect()` takes it."""
        if self.family == "ipv4":
            return self.address, self.port or 0
        host, _, scope = self.address.partition("%")
        return host, self.port or 0, 0, int(scope or 0)

    @property
    def socket_family(self) -> _socket.AddressFamily:
        return _socket.AF_INET if self.family == "ipv4" else _socket.AF_INET6

    def __str__(self) -> str:
        if self.port is None:
            return self.address
        return f"[{self.address}]:{self.port}" if self.family == "ipv6" else f"{self.address}:{self.port}"


@dataclass(frozen=True)
class SystemFailure(_Value):
    """Why one attempt or one query failed; `errno` is None where the system has no number for it."""

    errno: Optional[int]
    message: str


@dataclass(frozen=True)
class ExtendedError(_Value):
    """What a DNS server says about its failure (RFC 8914). `text` is as it was sent."""

    code: int
    name: Optional[str]
    text: Optional[str]


@dataclass(frozen=True)
class Query(_Value):
    """One question asked, or answered from something at hand."""

    _renamed: ClassVar[Mapping[str, str]] = {"from": "source"}

    name: str
    type: str
    source: str  #: "network", "cache", "shared", "hosts", "special" or "stale"
    upstream: Optional[str]
    transport: Optional[str]
    started_ms: float
    took_ms: Optional[float]
    outcome: str
    rcode: Optional[str]
    extended_error: Optional[ExtendedError]
    error: Optional[SystemFailure]
    ttl_s: Optional[int]
    records: int
    detail: Optional[str]

    @classmethod
    def _from(cls, document: Mapping[str, Any]) -> Query:
        made = dict(document)
        made["source"] = made.pop("from")
        if made["extended_error"] is not None:
            made["extended_error"] = ExtendedError._from(made["extended_error"])
        if made["error"] is not None:
            made["error"] = SystemFailure._from(made["error"])
        return cls(**made)


@dataclass(frozen=True)
class Attempt(_AtEndpoint):
    """One try of one endpoint. Times count from the beginning of the operation."""

    endpoint: Endpoint
    started_ms: Optional[float]
    took_ms: Optional[float]
    outcome: str  #: "won", "failed", "cancelled", "spare", "skipped" or "pending"; of a probe "connected"
    stage: str  #: how far it came: "socket", "connect" or "tls"
    tls_after_ms: Optional[float]
    error: Optional[SystemFailure]
    detail: Optional[str]


@dataclass(frozen=True)
class Trace(_Value):
    """What happened, in its order: every query and every attempt."""

    began: datetime
    took_ms: float
    queries: Tuple[Query, ...]
    attempts: Tuple[Attempt, ...]
    notes: Tuple[str, ...]

    @classmethod
    def _from(cls, document: Mapping[str, Any]) -> Trace:
        began = datetime.strptime(document["began"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
        return cls(
            began=began,
            took_ms=document["took_ms"],
            queries=tuple(Query._from(q) for q in document["queries"]),
            attempts=tuple(Attempt._from(a) for a in document["attempts"]),
            notes=tuple(document["notes"]),
        )

    def to_dict(self) -> Dict[str, Any]:
        out = super().to_dict()
        del out["began"], out["took_ms"]  # they stand beside it
        return out


def document_of(
    kind: str, target: str, trace: Optional[Trace], result: Optional[Dict[str, Any]], error: Optional[Dict[str, Any]]
) -> Dict[str, Any]:
    """The whole JSON document of one operation."""
    began = None if trace is None else trace.began.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    return {
        "schema": SCHEMA,
        "kind": kind,
        "target": target,
        "began": began,
        "took_ms": None if trace is None else trace.took_ms,
        "result": result,
        "error": error,
        "trace": None if trace is None else trace.to_dict(),
    }


class _Story:
    """The trace of a call that went well: most are never read, so it is made when it is."""

    _outcome: Optional[Outcome]

    @cached_property
    def trace(self) -> Trace:
        """The lookup, and the race where there was one."""
        outcome = self._outcome
        story = None if outcome is None else outcome.story()
        if story is None:
            raise AttributeError("this value was not made by a resolver and has no trace")
        return Trace._from(story)

    def __getstate__(self) -> Dict[str, Any]:
        trace = None if self._outcome is None else self.trace
        return {**self.__dict__, "_outcome": None, **({"trace": trace} if trace is not None else {})}

    def __setstate__(self, state: Dict[str, Any]) -> None:
        self.__dict__.update(state)


@dataclass(frozen=True)
class Resolution(_Story):
    """What a name stands for now."""

    target: str
    name: str  #: as it was found: after the search list
    canonical_name: str  #: the end of the CNAME chain
    ttl_s: int  #: the least time any of the answers stays true
    authenticated: bool  #: validated by DNSSEC, and whoever said so counts
    endpoints: Tuple[Endpoint, ...]  #: in the order in which connect would try them
    _outcome: Optional[Outcome] = field(default=None, repr=False, compare=False)

    def to_dict(self) -> Dict[str, Any]:
        result = {
            "name": self.name,
            "canonical_name": self.canonical_name,
            "ttl_s": self.ttl_s,
            "authenticated": self.authenticated,
            "endpoints": [e.to_dict() for e in self.endpoints],
        }
        return document_of("resolve", self.target, self.trace, result, None)


@dataclass(frozen=True, eq=False)
class Connection(_Story):
    """A connected socket, and how it came to be. A context manager that closes the socket."""

    target: str
    socket: _socket.socket
    endpoint: Endpoint
    _outcome: Optional[Outcome] = field(default=None, repr=False, compare=False)

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], value: Optional[BaseException], traceback: Optional[TracebackType]
    ) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    def to_dict(self) -> Dict[str, Any]:
        result = {"endpoint": self.endpoint.to_dict(), "tls": None}
        return document_of("connect", self.target, self.trace, result, None)


@dataclass(frozen=True)
class Candidate(_AtEndpoint):
    """One endpoint that connect would try, and all that its place comes from."""

    endpoint: Endpoint
    priority: int
    weight: Optional[int]
    frequency: Optional[float]
    state: str  #: "unknown", "healthy", "ramping", "suspect", "half_open" or "ejected"
    srtt_ms: Optional[float]
    successes_30s: float
    failures_30s: float
    in_flight: int
    cost_ms: float
    share: float  #: how often it would be the first choice now, from 0 to 1
    why: str


@dataclass(frozen=True)
class Explanation(_Story):
    """What a connect would do now, and why."""

    target: str
    mode: str
    policy: str
    behaviour: str
    panic: bool
    candidates: Tuple[Candidate, ...]
    _outcome: Optional[Outcome] = field(default=None, repr=False, compare=False)

    def to_dict(self) -> Dict[str, Any]:
        result = {
            "mode": self.mode,
            "policy": self.policy,
            "behaviour": self.behaviour,
            "panic": self.panic,
            "candidates": [c.to_dict() for c in self.candidates],
        }
        return document_of("explain", self.target, self.trace, result, None)


@dataclass(frozen=True)
class ProbeReport(_Story):
    """What a look at every address of a target has found: one attempt for each."""

    target: str
    addresses: Tuple[Attempt, ...]
    _outcome: Optional[Outcome] = field(default=None, repr=False, compare=False)

    def to_dict(self) -> Dict[str, Any]:
        result = {"addresses": [a.to_dict() for a in self.addresses]}
        return document_of("probe", self.target, self.trace, result, None)


@dataclass(frozen=True)
class Health(_AtEndpoint):
    """What is known of one endpoint."""

    endpoint: Endpoint
    state: str
    srtt_ms: Optional[float]
    rttvar_ms: float
    latency_ms: Optional[float]
    successes_30s: float
    failures_30s: float
    consecutive_failures: int
    in_flight: int
    age_ms: float
    comes_back_ms: Optional[float]


def resolution_of(target: str, outcome: Outcome) -> Resolution:
    value = outcome.value() or {}
    endpoints = tuple(Endpoint(**e) for e in value.pop("endpoints"))
    return Resolution(target=target, endpoints=endpoints, _outcome=outcome, **value)


def explanation_of(target: str, outcome: Outcome) -> Explanation:
    value = outcome.value() or {}
    candidates = tuple(Candidate._from(c) for c in value.pop("candidates"))
    return Explanation(target=target, candidates=candidates, _outcome=outcome, **value)


def probe_report_of(target: str, outcome: Outcome) -> ProbeReport:
    value = outcome.value() or {}
    return ProbeReport(target=target, addresses=tuple(Attempt._from(a) for a in value["addresses"]), _outcome=outcome)
