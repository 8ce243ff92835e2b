"""The calls most programs need, on the resolver with default settings."""

from __future__ import annotations

import socket
from typing import Any, Optional, Tuple, Union

from ._resolver import _GLOBAL_DEFAULT, Resolver
from ._targets import Target
from ._types import Connection, Endpoint, Explanation, ProbeReport, Resolution


def create_connection(
    address: Tuple[Optional[str], Union[int, str, None]],
    timeout: Optional[float] = _GLOBAL_DEFAULT,
    source_address: Optional[Tuple[str, int]] = None,
    *,
    all_errors: bool = False,
) -> socket.socket:
    """As `socket.create_connection()`, racing the addresses: see `Resolver.create_connection()`."""
    return Resolver().create_connection(address, timeout, source_address, all_errors=all_errors)


def resolve(target: Target, **settings: Any) -> Resolution:
    """`Resolver.resolve()` with default settings of the resolver."""
    return Resolver().resolve(target, **settings)


def connect(target: Target, **settings: Any) -> Connection:
    """`Resolver.connect()` with default settings of the resolver."""
    return Resolver().connect(target, **settings)


def pick(target: Target) -> Endpoint:
    """`Resolver.pick()` with default settings of the resolver."""
    return Resolver().pick(target)


def explain(target: Target, **settings: Any) -> Explanation:
    """`Resolver.explain()` with default settings of the resolver."""
    return Resolver().explain(target, **settings)


def probe(target: Target, **settings: Any) -> ProbeReport:
    """`Resolver.probe()` with default settings of the resolver."""
    return Resolver().probe(target, **settings)
