"""For httpx: transports that connect through lbresolve.

httpx leaves connections to httpcore, and httpcore to a network backend: these are ours. When TLS fails at one address,
another one is tried, as nothing of the request has been sent by then.
"""

from __future__ import annotations

import asyncio
import functools
import socket
import ssl
from typing import Any, Awaitable, Callable, Dict, Iterable, Optional, TypeVar, Union

from .. import Connection, ConnectTimeout, Resolver, ResolveTimeout, aio
from ._feedback import Feedback, Peer, Refusals, end_of, is_over, time_left
from ._library import missing

try:
    import anyio.to_thread
    import httpcore
    import httpx
    from anyio.abc import SocketStream
    from httpcore._backends.anyio import AnyIOStream
    from httpcore._backends.sync import SyncStream
except ImportError as failure:
    raise missing(__name__, "httpx", "0.27") from failure
if not hasattr(SocketStream, "from_socket"):
    raise missing(__name__, "anyio", "4.10")

__all__ = ["AsyncHTTPTransport", "HTTPTransport"]

_Options = Iterable[Union[
    "tuple[int, int, int]", "tuple[int, int, Union[bytes, bytearray]]", "tuple[int, int, None, int]"]]
_T = TypeVar("_T")
_FAILED = (httpcore.ConnectError, httpcore.ConnectTimeout)


class HTTPTransport(httpx.HTTPTransport):
    """httpx's transport, with connections made by lbresolve: its race, its order, its memory.

    Args:
        resolver: whose settings, cache and memory to use; None: the default ones.
        **settings: those of `httpx.HTTPTransport`. With a `proxy`, connections to the proxy are meant.
    """

    def __init__(self, *, resolver: Optional[Resolver] = None, **settings: Any) -> None:
        super().__init__(**settings)
        self._pool._network_backend = _Backend(Feedback(resolver))


class AsyncHTTPTransport(httpx.AsyncHTTPTransport):
    """The same for `httpx.AsyncClient`, under asyncio; under trio each connect takes a thread.

    Args:
        resolver: whose settings, cache and memory to use; None: the default ones.
        **settings: those of `httpx.AsyncHTTPTransport`. With a `proxy`, connections to the proxy are meant.
    """

    def __init__(self, *, resolver: Optional[Resolver] = None, **settings: Any) -> None:
        super().__init__(**settings)
        self._pool._network_backend = _AsyncBackend(Feedback(resolver))


class _Backend(httpcore.SyncBackend):
    def __init__(self, feedback: Feedback) -> None:
        self.feedback = feedback

    def connect_tcp(
        self, host: str, port: int, timeout: Optional[float] = None, local_address: Optional[str] = None,
        socket_options: Optional[_Options] = None,
    ) -> httpcore.NetworkStream:
        return self.connect(_Target(host, port, local_address, socket_options), timeout)

    def connect(self, target: _Target, timeout: Optional[float]) -> _Stream:
        try:
            made = self.feedback.resolver.connect(target.where, timeout=timeout, source_address=target.source_address)
            target.set_up(made.socket)
        except OSError as failure:
            raise _as_httpcore(failure) from failure
        peer = Peer(self.feedback, made.endpoint)
        return _Stream(SyncStream(made.socket), peer, target, self)


class _Stream(httpcore.NetworkStream):
    """One connection of httpcore's, with an ear for the first word of the server."""

    def __init__(
        self, inner: httpcore.NetworkStream, peer: Peer, target: _Target, maker: Optional[_Backend] = None
    ) -> None:
        """`maker`: connects anew, as long as nothing has been said here."""
        self._inner, self._peer, self._target, self._maker = inner, peer, target, maker

    def read(self, max_bytes: int, timeout: Optional[float] = None) -> bytes:
        try:
            data = self._inner.read(max_bytes, timeout)
        except httpcore.ReadError:
            self._peer.failed()
            raise
        if data:
            self._peer.spoke()
        else:
            self._peer.failed()
        return data

    def write(self, buffer: bytes, timeout: Optional[float] = None) -> None:
        self._maker = None
        try:
            self._inner.write(buffer, timeout)
        except httpcore.WriteError:
            self._peer.failed()
            raise

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: Optional[str] = None, timeout: Optional[float] = None
    ) -> httpcore.NetworkStream:
        if self._maker is None:   # through a proxy's tunnel: no fault of the proxy's
            return _Stream(self._inner.start_tls(ssl_context, server_hostname, timeout), self._peer, self._target)
        end, refusals, stream = end_of(timeout), Refusals(self._maker.feedback, self._target.where), self
        while True:
            try:
                inner = stream._inner.start_tls(ssl_context, server_hostname, time_left(end))
                return _Stream(inner, stream._peer, self._target)
            except _FAILED as refusal:
                refusals.add(stream._peer, refusal)
                if is_over(end) or not refusals.leave_others():
                    raise
            try:
                stream = self._maker.connect(self._target, time_left(end))
            except _FAILED as none_left:
                raise refusals.first() or none_left from None
            if refused := refusals.at(stream._peer):
                stream.close()
                raise refused

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _AsyncBackend(httpcore.AnyIOBackend):
    def __init__(self, feedback: Feedback) -> None:
        self.feedback = feedback

    async def connect_tcp(
        self, host: str, port: int, timeout: Optional[float] = None, local_address: Optional[str] = None,
        socket_options: Optional[_Options] = None,
    ) -> httpcore.AsyncNetworkStream:
        return await self.connect(_Target(host, port, local_address, socket_options), timeout)

    async def connect(self, target: _Target, timeout: Optional[float]) -> _AsyncStream:
        try:
            made = await self._race(target, timeout)
            target.set_up(made.socket)
        except OSError as failure:
            raise _as_httpcore(failure) from failure
        peer = Peer(self.feedback, made.endpoint)
        stream = AnyIOStream(await SocketStream.from_socket(made.socket))
        return _AsyncStream(stream, peer, target, self)

    async def _race(self, target: _Target, timeout: Optional[float]) -> Connection:
        settings: Dict[str, Any] = {"timeout": timeout, "source_address": target.source_address}
        resolver = self.feedback.resolver
        return await _by_either(functools.partial(aio.connect, target.where, resolver=resolver, **settings),
                                functools.partial(resolver.connect, target.where, **settings))


class _AsyncStream(httpcore.AsyncNetworkStream):
    """As _Stream."""

    def __init__(
        self, inner: httpcore.AsyncNetworkStream, peer: Peer, target: _Target, maker: Optional[_AsyncBackend] = None
    ) -> None:
        self._inner, self._peer, self._target, self._maker = inner, peer, target, maker

    async def read(self, max_bytes: int, timeout: Optional[float] = None) -> bytes:
        try:
            data = await self._inner.read(max_bytes, timeout)
        except httpcore.ReadError:
            self._peer.failed()
            raise
        if data:
            self._peer.spoke()
        else:
            self._peer.failed()
        return data

    async def write(self, buffer: bytes, timeout: Optional[float] = None) -> None:
        self._maker = None
        try:
            await self._inner.write(buffer, timeout)
        except httpcore.WriteError:
            self._peer.failed()
            raise

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: Optional[str] = None, timeout: Optional[float] = None
    ) -> httpcore.AsyncNetworkStream:
        if self._maker is None:   # through a proxy's tunnel: no fault of the proxy's
            inner = await self._inner.start_tls(ssl_context, server_hostname, timeout)
            return _AsyncStream(inner, self._peer, self._target)
        end, refusals, stream = end_of(timeout), Refusals(self._maker.feedback, self._target.where), self
        while True:
            try:
                inner = await stream._inner.start_tls(ssl_context, server_hostname, time_left(end))
                return _AsyncStream(inner, stream._peer, self._target)
            except _FAILED as refusal:
                refusals.add(stream._peer, refusal)
                if is_over(end) or not await _by_either(refusals.leave_others_async, refusals.leave_others):
                    raise
            try:
                stream = await self._maker.connect(self._target, time_left(end))
            except _FAILED as none_left:
                raise refusals.first() or none_left from None
            if refused := refusals.at(stream._peer):
                await stream.aclose()
                raise refused

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Target:
    """Where httpcore wants to go, and how its socket is to be set up."""

    def __init__(self, host: str, port: int, local_address: Optional[str], options: Optional[_Options]) -> None:
        self.where = host, port
        self.source_address = None if local_address is None else (local_address, 0)
        self._options = tuple(options or ())

    def set_up(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for option in self._options:
            sock.setsockopt(*option)


async def _by_either(of_asyncio: Callable[[], Awaitable[_T]], blocking: Callable[[], _T]) -> _T:
    """The former under asyncio; under trio the latter, on a thread."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return await anyio.to_thread.run_sync(blocking, abandon_on_cancel=True)
    return await of_asyncio()


def _as_httpcore(failure: OSError) -> Exception:
    timed_out = isinstance(failure, (ConnectTimeout, ResolveTimeout))
    return (httpcore.ConnectTimeout if timed_out else httpcore.ConnectError)(str(failure))
