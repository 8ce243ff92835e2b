"""The client half of DNS load balancing.

    import lbresolve

    sock = lbresolve.create_connection(("api.example.com", 443), timeout=5)

`create_connection()` stands in for `socket.create_connection()`: it races the addresses of the name, prefers those
that work, and remembers. `Resolver` has settings and more calls, `lbresolve.aio` is the same for asyncio. Importing
this starts nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._api import begin, connect, create_connection, explain, health, pick, probe, report, resolve
from ._errors import (
    ConnectAborted,
    ConnectError,
    ConnectForbidden,
    ConnectRefused,
    ConnectReset,
    ConnectTimeout,
    LbresolveError,
    ResolveError,
    ResolveTimeout,
)
from ._native import __version__
from ._resolver import Resolver
from ._targets import Target
from ._types import (
    Attempt,
    Candidate,
    Connection,
    Endpoint,
    Explanation,
    ExtendedError,
    Health,
    ProbeReport,
    Query,
    Resolution,
    SystemFailure,
    Trace,
)

if TYPE_CHECKING:
    from . import aio as aio

__all__ = [
    "Attempt",
    "Candidate",
    "ConnectAborted",
    "ConnectError",
    "ConnectForbidden",
    "ConnectRefused",
    "ConnectReset",
    "ConnectTimeout",
    "Connection",
    "Endpoint",
    "Explanation",
    "ExtendedError",
    "Health",
    "LbresolveError",
    "ProbeReport",
    "Query",
    "Resolution",
    "ResolveError",
    "ResolveTimeout",
    "Resolver",
    "SystemFailure",
    "Target",
    "Trace",
    "__version__",
    "aio",
    "begin",
    "connect",
    "create_connection",
    "explain",
    "health",
    "pick",
    "probe",
    "report",
    "resolve",
]


def __getattr__(name: str) -> Any:
    """asyncio is imported by those who use it."""
    if name == "aio":
        import importlib

        return importlib.import_module(".aio", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
