"""What is raised. Each is also what `socket.create_connection()` raises in its place."""

from __future__ import annotations

import errno as _errno
import os
import socket
import sys
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple, Type

from ._types import Attempt, Endpoint, SystemFailure, Trace, document_of

if TYPE_CHECKING:
    from ._native import Outcome


class LbresolveError(OSError):
    """What all of the below are. `code` is the word that the command has for it, as "name_not_found"."""

    code: str = ""
    target: str = ""
    trace: Optional[Trace] = None
    _kind: str = "connect"
    _document: Optional[Dict[str, Any]] = None

    @property
    def attempts(self) -> Tuple[Attempt, ...]:
        """Every address that was tried, each with its own error."""
        return () if self.trace is None else self.trace.attempts

    def to_dict(self) -> Dict[str, Any]:
        """The document that the command prints for it."""
        return document_of(self._kind, self.target, self.trace, None, self._document)


class ResolveError(LbresolveError, socket.gaierror):
    """No address was found: a `socket.gaierror` whose `errno` is one of the EAI_ numbers."""


class ResolveTimeout(ResolveError, TimeoutError):
    """Time ran out before any address was known."""


class ConnectError(LbresolveError):
    """No address could be connected to. Where all attempts failed with one errno, it is `errno`."""


class ConnectRefused(ConnectError, ConnectionRefusedError):
    """ECONNREFUSED everywhere."""


class ConnectReset(ConnectError, ConnectionResetError):
    """ECONNRESET everywhere."""


class ConnectAborted(ConnectError, ConnectionAbortedError):
    """ECONNABORTED everywhere."""


class ConnectForbidden(ConnectError, PermissionError):
    """EPERM or EACCES everywhere: a firewall, or this host."""


if sys.version_info >= (3, 10):

    class ConnectTimeout(ConnectError, TimeoutError):
        """Time ran out, or the system gave every attempt up."""

else:  # where socket.timeout is another class

    class ConnectTimeout(ConnectError, TimeoutError, socket.timeout):
        """Time ran out, or the system gave every attempt up."""


_BY_ERRNO: Dict[int, Type[ConnectError]] = {
    _errno.ECONNREFUSED: ConnectRefused,
    _errno.ECONNRESET: ConnectReset,
    _errno.ECONNABORTED: ConnectAborted,
    _errno.EPERM: ConnectForbidden,
    _errno.EACCES: ConnectForbidden,
    _errno.ETIMEDOUT: ConnectTimeout,
}

_EAI_BY_CODE: Dict[str, int] = {
    "name_not_found": socket.EAI_NONAME,
    "no_addresses": getattr(socket, "EAI_NODATA", socket.EAI_NONAME),
    "upstream_failed": socket.EAI_AGAIN,
}


def connect_error(number: int, message: str) -> ConnectError:
    return _BY_ERRNO.get(number, ConnectError)(number, message)


def error_of(kind: str, target: str, outcome: Outcome) -> Exception:
    """The exception for an operation that failed. A setting or a target that cannot be used is a ValueError."""
    document = outcome.failure() or {}
    story = outcome.story()
    return _error(kind, target, document, None if story is None else Trace._from(story))


def _error(kind: str, target: str, document: Dict[str, Any], trace: Optional[Trace]) -> Exception:
    code, message = document["code"], document["message"]
    if code in ("invalid_target", "invalid_option", "unsupported"):
        return ValueError(message)
    tried = trace is not None and any(a.outcome != "skipped" for a in trace.attempts)
    made: LbresolveError
    if code == "timed_out" and (kind == "resolve" or _waits_for_dns(trace)):
        made = ResolveTimeout(socket.EAI_AGAIN, message)
    elif code in _EAI_BY_CODE and not tried:
        made = ResolveError(_EAI_BY_CODE[code], message)
    else:
        made = connect_error(_errno_of(code, document["errno"], trace), message)
    made.code, made.target, made.trace, made._kind, made._document = code, target, trace, kind, document
    return made


def _waits_for_dns(trace: Optional[Trace]) -> bool:
    queries = () if trace is None else trace.queries
    return bool(queries) and not any(q.outcome == "answered" for q in queries)


def _errno_of(code: str, given: Optional[int], trace: Optional[Trace]) -> int:
    if given is not None:
        return given
    known = {"timed_out": _errno.ETIMEDOUT, "cancelled": _errno.ECANCELED, "local_resources": _errno.EMFILE}
    if code in known:
        return known[code]
    # As socket.create_connection() does by default: the last one's.
    numbers = [a.error.errno for a in (trace.attempts if trace else ()) if a.error and a.error.errno]
    return numbers[-1] if numbers else _errno.EHOSTUNREACH


def each_of(error: ConnectError) -> List[Exception]:
    """One exception an attempt, for `all_errors`."""
    out: List[Exception] = []
    for attempt in error.attempts:
        if attempt.error is not None:
            out.append(_error_of_attempt(attempt.endpoint, attempt.error))
    return out or [error]


def _error_of_attempt(endpoint: Endpoint, failure: SystemFailure) -> Exception:
    number = failure.errno if failure.errno is not None else _errno.EHOSTUNREACH
    text = os.strerror(number) if failure.errno is not None else failure.message
    return connect_error(number, f"{endpoint}: {text}")
