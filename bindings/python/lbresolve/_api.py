"""The calls most programs need, on the resolver with default settings."""

from __future__ import annotations

import socket
from typing import Any, Optional, Tuple, Union

from ._resolver import _GLOBAL_DEFAULT, Resolver
from ._targets import Target
from ._types import Connection, Endpoint, Explanation, ProbeReport, Resolution

_resolver: Optional[Resolver] = None


def _shared() -> Resolver:
    global _resolver
    if _resolver is None:
        _resolver = Resolver()
    return _resolver


def create_connection(
    address: Tuple[Optional[str], Union[int, str, None]],
    timeout: Optional[float] = _GLOBAL_DEFAULT,
    source_address: Optional[Tuple[str, int]] = None,
    *,
    all_errors: bool = False,
) -> socket.socket:
    """As `socket.create_connection()`, racing the addresses: see `Resolver.create_connection()`."""
    return _shared().create_connection(address, timeout, source_address, all_errors=all_errors)


def resolve(target: Target, **settings: Any) -> Resolution:
    """`Resolver.resolve()` with default settings of the resolver."""
    return _shared().resolve(target, **settings)


def connect(target: Target, **settings: Any) -> Connection:
    """`Resolver.connect()` with default settings of the resolver."""
    return _shared().connect(target, **settings)


def pick(target: Target) -> Endpoint:
    """`Resolver.pick()` with default settings of the resolver."""
    return _shared().pick(target)


def explain(target: Target, **settings: Any) -> Explanation:
    """`Resolver.explain()` with default settings of the resolver."""
    return _shared().explain(target, **settings)


def probe(target: Target, **settings: Any) -> ProbeReport:
    """`Resolver.probe()` with default settings of the resolver."""
    return _shared().probe(target, **settings)
