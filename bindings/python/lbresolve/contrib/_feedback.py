"""What is found out about an address only after a connection to it came about, told to the resolver's memory.

A server that accepts connections and then fails looks well to everything that only connects. So the adapters tell when
TLS fails, and when a connection ends before its server has said a word. A server may have many reasons to close a
connection that has been in use: that is never told.
"""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING, Dict, Optional, Set, Tuple

from .. import Endpoint, Resolution, Resolver, aio

if TYPE_CHECKING:
    from .._resolver import Families

#: The resolver's word for each family of the socket module's.
FAMILIES: Dict[int, Families] = {socket.AF_UNSPEC: "both", socket.AF_INET: "ipv4", socket.AF_INET6: "ipv6"}

#: More endpoints than this are not told apart from those that fail for the first time.
_MOST = 4096


class Feedback:
    """One adapter's. Any thread may tell."""

    def __init__(self, resolver: Optional[Resolver]) -> None:
        self.resolver = Resolver() if resolver is None else resolver
        self._failing: Set[Endpoint] = set()   # the last word from there was a failure

    def failed(self, at: Endpoint) -> None:
        """One failure makes an endpoint suspect, until a connection to it comes about, which the resolver tries in the
        background. Where the next request fails too, that was no proof: three failures eject it, longer each time."""
        if self.resolver.closed:
            return
        again = at in self._failing
        if len(self._failing) < _MOST:
            self._failing.add(at)
        for _ in range(3 if again else 1):
            self.resolver.report(at, False)

    def answered(self, at: Endpoint) -> None:
        self._failing.discard(at)


class Peer:
    """Whom one connection leads to, and whether anything has come from there yet."""

    def __init__(self, feedback: Feedback, at: Endpoint) -> None:
        self.at = at
        self._feedback = feedback
        self._open = True

    def spoke(self) -> None:
        if self._open:
            self._open = False
            self._feedback.answered(self.at)

    def failed(self) -> None:
        """Of a connection that has been in use, or has failed already, this says nothing."""
        if self._open:
            self._open = False
            self._feedback.failed(self.at)


class Refusals:
    """Where TLS has failed in one connect, and how. Nothing of a request has been sent by then, so it may go elsewhere.

    Only elsewhere: a connect to one of the same addresses would take back the suspicion that the report has raised.
    """

    def __init__(self, feedback: Feedback, where: Tuple[str, int]) -> None:
        self._resolver, self._where = feedback.resolver, where
        self._all: Dict[Endpoint, Exception] = {}

    def add(self, peer: Peer, failure: Exception) -> None:
        self._all[peer.at] = failure
        peer.failed()

    def first(self) -> Optional[Exception]:
        return next(iter(self._all.values()), None)

    def at(self, peer: Peer) -> Optional[Exception]:
        """Where a race led back to one of them: what came of it before. Reported again."""
        if peer.at not in self._all:
            return None
        peer.failed()
        return self._all[peer.at]

    def leave_others(self) -> bool:
        try:
            return self._others_in(self._resolver.resolve(self._where))
        except (OSError, ValueError):
            return False

    async def leave_others_async(self) -> bool:
        try:
            return self._others_in(await aio.resolve(self._where, resolver=self._resolver))
        except (OSError, ValueError):
            return False

    def _others_in(self, found: Resolution) -> bool:
        return any(endpoint not in self._all for endpoint in found.endpoints)


def end_of(timeout: Optional[float]) -> Optional[float]:
    """When a time limit that begins now is over; None: never."""
    return None if timeout is None else time.monotonic() + timeout


def is_over(end: Optional[float]) -> bool:
    return end is not None and time.monotonic() >= end


def time_left(end: Optional[float]) -> Optional[float]:
    """Of it; never zero, which says "do not wait" to sockets."""
    return None if end is None else max(end - time.monotonic(), 0.001)
