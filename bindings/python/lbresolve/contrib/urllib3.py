"""For urllib3: pool managers that connect through lbresolve.

When TLS fails at one address, another one is tried, as nothing of the request has been sent by then.
"""

from __future__ import annotations

import socket
import ssl
import sys
from typing import Any, Dict, Optional, Type

from .. import ConnectTimeout, ResolveError, Resolver, ResolveTimeout
from ._feedback import Feedback, Peer, Refusals, end_of, is_over, time_left
from ._library import missing

try:
    import urllib3
    from urllib3.connection import HTTPConnection, HTTPSConnection
    from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
    from urllib3.exceptions import ConnectTimeoutError, HTTPError, NameResolutionError, NewConnectionError
    from urllib3.response import HTTPResponse
    from urllib3.util.ssl_match_hostname import CertificateError
except ImportError as failure:
    raise missing(__name__, "urllib3", "2.0") from failure

__all__ = ["PoolManager", "ProxyManager", "pool_classes"]


class PoolManager(urllib3.PoolManager):
    """urllib3's pool manager, with connections made by lbresolve: its race, its order, its memory.

    Args:
        resolver: whose settings, cache and memory to use; None: the default ones.
        **settings: those of `urllib3.PoolManager`.
    """

    def __init__(self, *, resolver: Optional[Resolver] = None, **settings: Any) -> None:
        super().__init__(**settings)
        self.pool_classes_by_scheme = pool_classes(resolver)


class ProxyManager(urllib3.ProxyManager):
    """The same through a proxy, whose name is the one that is looked up.

    Args:
        proxy_url: as for `urllib3.ProxyManager`.
        resolver: whose settings, cache and memory to use; None: the default ones.
        **settings: those of `urllib3.ProxyManager`.
    """

    def __init__(self, proxy_url: str, *, resolver: Optional[Resolver] = None, **settings: Any) -> None:
        super().__init__(proxy_url, **settings)
        self.pool_classes_by_scheme = pool_classes(resolver)


def pool_classes(resolver: Optional[Resolver] = None) -> Dict[str, Type[HTTPConnectionPool]]:
    """What to set as `pool_classes_by_scheme` of any pool manager."""
    feedback = Feedback(resolver)
    # By the names that urllib3's messages have.
    plain = type("HTTPConnection", (_Connection,), {"_feedback": feedback})
    secure = type("HTTPSConnection", (_SecureConnection,), {"_feedback": feedback})
    return {"http": type("HTTPConnectionPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
            "https": type("HTTPSConnectionPool", (HTTPSConnectionPool,), {"ConnectionCls": secure})}


class _Connection(HTTPConnection):
    """One connection of urllib3's, with an ear for the first word of the server."""

    _feedback: Feedback
    _peer: Optional[Peer] = None

    def _new_conn(self) -> socket.socket:
        limit = urllib3.Timeout.resolve_default_timeout(self.timeout)
        try:
            made = self._feedback.resolver.connect((self._dns_host, self.port), timeout=limit,
                                                   source_address=self.source_address)
        except (ResolveTimeout, ConnectTimeout) as failure:
            told = f"Connection to {self.host} timed out. (connect timeout={limit})"
            raise ConnectTimeoutError(self, told) from failure
        except ResolveError as failure:
            raise NameResolutionError(self.host, self, failure) from failure
        except OSError as failure:
            raise NewConnectionError(self, f"Failed to establish a new connection: {failure}") from failure
        made.socket.settimeout(limit)
        for option in self.socket_options or ():
            made.socket.setsockopt(*option)
        self._peer = Peer(self._feedback, made.endpoint)
        sys.audit("http.client.connect", self, self.host, self.port)
        return made.socket

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as urllib3 itself does
        try:
            response = super().getresponse()
        except (ConnectionError, ssl.SSLError):   # also http.client.RemoteDisconnected: it ended without a word
            if self._peer is not None:
                self._peer.failed()
            raise
        if self._peer is not None:
            self._peer.spoke()
        return response


class _SecureConnection(_Connection, HTTPSConnection):
    _refusals: Optional[Refusals] = None   # of this connect

    def connect(self) -> None:
        if self.proxy is not None:   # TLS is with whom the proxy leads to
            return super().connect()
        limit = self.timeout
        end = end_of(urllib3.Timeout.resolve_default_timeout(limit))
        self._refusals = Refusals(self._feedback, (self._dns_host, self.port))
        try:
            while not self._connect_once(end, self._refusals):
                self.timeout = time_left(end)
        finally:
            self.timeout, self._refusals = limit, None

    def _connect_once(self, end: Optional[float], refusals: Refusals) -> bool:
        """False: not at this address, but there are others."""
        self._peer = None
        try:
            super().connect()
        except (OSError, CertificateError) as refusal:
            if self._peer is None:
                raise
            refusals.add(self._peer, refusal)
            self.sock.close()
            if is_over(end) or not refusals.leave_others():
                raise
            return False
        except HTTPError as none_left:
            raise refusals.first() or none_left from none_left.__cause__
        return True

    def _new_conn(self) -> socket.socket:
        sock = super()._new_conn()
        refused = self._refusals.at(self._peer) if self._refusals and self._peer else None
        if refused:
            self._peer = None
            sock.close()
            raise refused
        return sock
