"""For aiohttp: a connector that connects through lbresolve, and a resolver for connectors of other makes.

When TLS fails at one address, another one is tried, as aiohttp itself does.
"""

from __future__ import annotations

import asyncio
import functools
import socket
import ssl
from typing import Any, Dict, List, Optional, Tuple, Type, cast

from .. import Connection, ConnectTimeout, ResolveError, Resolver, ResolveTimeout, aio
from ._feedback import FAMILIES, Feedback, Peer, Refusals, end_of, is_over, time_left
from ._library import missing

try:
    import aiohttp
    from aiohttp import ClientConnectorDNSError
    from aiohttp.abc import AbstractResolver, ResolveResult
    from aiohttp.client_proto import ResponseHandler
    from aiohttp.client_reqrep import ClientRequest
except ImportError as failure:
    raise missing(__name__, "aiohttp", "3.11") from failure

__all__ = ["AsyncResolver", "TCPConnector"]

#: What the resolver decides, and aiohttp does not get to.
_OURS = ("use_dns_cache", "ttl_dns_cache", "dns_cache_max_size", "happy_eyeballs_delay", "interleave", "socket_factory")


class TCPConnector(aiohttp.TCPConnector):
    """aiohttp's connector, with connections made by lbresolve: its race, its order, its memory.

    Names are looked up as part of the race: a trace's `on_dns_resolvehost_...` signals come, and mean nothing.

    Args:
        resolver: whose settings, cache and memory to use; None: the default ones.
        **settings: those of `aiohttp.TCPConnector`, but for the ones about DNS and racing.
    """

    def __init__(self, *, resolver: Optional[Resolver] = None, **settings: Any) -> None:
        for name in _OURS:
            if name in settings:
                raise TypeError(f"{name} is the resolver's to decide: give this connector a Resolver that is set up so")
        super().__init__(resolver=_NoLookup(), use_dns_cache=False, **settings)
        self._feedback = Feedback(resolver)
        self._source_address = cast("Optional[Tuple[str, int]]", settings.get("local_addr"))

    async def _wrap_create_connection(
        self, *args: Any, addr_infos: List[Any], req: ClientRequest, timeout: aiohttp.ClientTimeout,
        client_error: Type[Exception] = aiohttp.ClientConnectorError, **kwargs: Any,
    ) -> Tuple[asyncio.Transport, ResponseHandler]:
        addr_infos.clear()   # aiohttp calls this again while any are left; all of the name's are tried here, at once
        try:
            transport, protocol = await self._connect(req, timeout.sock_connect, kwargs)
        except (ResolveTimeout, ConnectTimeout, asyncio.TimeoutError) as failure:
            raise asyncio.TimeoutError(str(failure)) from failure
        except ResolveError as failure:
            raise ClientConnectorDNSError(req.connection_key, failure) from failure
        except ssl.CertificateError as failure:
            raise aiohttp.ClientConnectorCertificateError(req.connection_key, failure) from failure
        except ssl.SSLError as failure:
            raise aiohttp.ClientConnectorSSLError(req.connection_key, failure) from failure
        except OSError as failure:
            raise client_error(req.connection_key, failure) from failure
        peer = transport.get_extra_info("socket")   # which aiohttp takes out again when its fingerprint is wrong
        addr_infos.append((peer.family, peer.type, peer.proto, "", peer.getpeername()))
        return transport, protocol

    async def _connect(
        self, req: ClientRequest, limit: Optional[float], tls: Dict[str, Any]
    ) -> Tuple[asyncio.Transport, ResponseHandler]:
        """Up to a TLS session, where there is to be one."""
        host = req.url.raw_host
        assert host is not None and req.port is not None   # or aiohttp would not have come here
        where, end = (host, req.port), end_of(limit)
        refusals = Refusals(self._feedback, where)
        while True:
            try:
                made = await self._race(where, time_left(end))
            except OSError as none_left:
                raise refusals.first() or none_left from None
            peer = Peer(self._feedback, made.endpoint)
            if refused := refusals.at(peer):
                made.close()
                raise refused
            protocol = functools.partial(_Protocol, peer, self._loop)
            begun = self._loop.create_connection(protocol, sock=made.socket, **tls)
            if tls.get("ssl") is None:
                return await begun
            try:
                return await asyncio.wait_for(begun, time_left(end))
            except (OSError, asyncio.TimeoutError) as refusal:
                refusals.add(peer, refusal)
                if is_over(end) or not await refusals.leave_others_async():
                    raise

    async def _race(self, where: Tuple[str, int], timeout: Optional[float]) -> Connection:
        return await aio.connect(where, resolver=self._feedback.resolver, timeout=timeout,
                                 families=FAMILIES[self._family], source_address=self._source_address)


class _NoLookup(AbstractResolver):
    """aiohttp asks for addresses before it asks for a connection. The race finds its own: this one names none."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> List[ResolveResult]:
        return [_result(host, "::" if family == socket.AF_INET6 else "0.0.0.0", port)]

    async def close(self) -> None:
        """Holds nothing."""


class _Protocol(ResponseHandler):
    """One connection of aiohttp's, with an ear for the first word of the server."""

    def __init__(self, peer: Peer, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self._peer: Optional[Peer] = peer   # until it has spoken
        self._ended_there = False

    def data_received(self, data: bytes) -> None:
        if self._peer is not None:
            self._peer.spoke()
            self._peer = None
        super().data_received(data)

    def eof_received(self) -> None:
        self._ended_there = True
        super().eof_received()

    def connection_lost(self, exc: Optional[BaseException]) -> None:
        if self._peer is not None and (self._ended_there or isinstance(exc, OSError)):
            self._peer.failed()
        super().connection_lost(exc)


class AsyncResolver(AbstractResolver):
    """Addresses in lbresolve's order, for a connector that is not ours. aiohttp makes the connections then, and the
    memory learns nothing from them: prefer TCPConnector. Give the connector these too, or it keeps addresses for longer
    than their TTL, in turns, and sorts them anew: `use_dns_cache=False, happy_eyeballs_delay=None`.
    """

    def __init__(self, *, resolver: Optional[Resolver] = None) -> None:
        self._resolver = Resolver() if resolver is None else resolver

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> List[ResolveResult]:
        found = await aio.resolve((host, port), resolver=self._resolver)
        results = [_result(host, endpoint.address, port) for endpoint in found.endpoints]
        return [r for r in results if family in (socket.AF_UNSPEC, r["family"])]

    async def close(self) -> None:
        """The Resolver is its owner's."""


def _result(host: str, address: str, port: int) -> ResolveResult:
    return {"hostname": host, "host": address, "port": port, "proto": 0, "flags": socket.AI_NUMERICHOST,
            "family": socket.AF_INET6 if ":" in address else socket.AF_INET}
