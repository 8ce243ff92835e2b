"""The same for asyncio, under its own loops and uvloop.

No thread is made for a call: completions come from the resolver's thread through one descriptor a loop. Cancelling the
task cancels the operation, and closes what it had open.
"""

from __future__ import annotations

import asyncio
import itertools
import ssl as _ssl
import weakref
from typing import Any, Callable, Dict, Optional, Tuple, Union

from . import _types
from ._api import _shared
from ._native import Channel, Engine, Outcome
from ._resolver import (
    DEFAULT_TIMEOUT,
    LOOKUP_TIMEOUT,
    Families,
    Mode,
    Policy,
    Resolver,
    _checked,
    _lookup_text,
    connect_settings,
    connection_of,
    resolve_settings,
)
from ._targets import Target, host_in, text_of
from ._types import Connection, Explanation, ProbeReport, Resolution

__all__ = ["connect", "explain", "open_connection", "probe", "resolve"]

_Start = Callable[[str, Dict[str, Any], Channel, int], int]


class _Inbox:
    """Where the completions of one loop come in."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.channel = Channel()
        self._tokens = itertools.count(1)
        self._waiting: Dict[int, asyncio.Future[Outcome]] = {}
        # The loop holds on to this object, not the other way round: both go when nobody uses the loop any more.
        loop.add_reader(self.channel.fileno(), self._take)

    def _take(self) -> None:
        for token, outcome in self.channel.take_all():
            future = self._waiting.pop(token, None)
            if future is not None and not future.done():
                future.set_result(outcome)

    async def run(self, engine: Engine, start: _Start, text: str, settings: Dict[str, Any]) -> Outcome:
        token = next(self._tokens)
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting[token] = future
        try:
            number = start(text, settings, self.channel, token)
            if number == 0:
                raise OSError("the resolver's thread could not be started")
            try:
                return await future
            finally:
                if not future.done() or future.cancelled():
                    engine.cancel(number)
        finally:
            self._waiting.pop(token, None)


_inboxes: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Inbox] = weakref.WeakKeyDictionary()


def _inbox() -> _Inbox:
    loop = asyncio.get_running_loop()
    inbox = _inboxes.get(loop)
    if inbox is None:
        inbox = _inboxes[loop] = _Inbox(loop)
    return inbox


def _resolver(given: Optional[Resolver]) -> Engine:
    return (given if given is not None else _shared())._use()


async def resolve(
    target: Target,
    *,
    resolver: Optional[Resolver] = None,
    timeout: float = LOOKUP_TIMEOUT,
    families: Optional[Families] = None,
    use_cache: bool = True,
    use_stale: bool = True,
    search: bool = True,
) -> Resolution:
    """As `Resolver.resolve()`."""
    engine, text = _resolver(resolver), _lookup_text(target)
    settings = resolve_settings(timeout, families, use_cache, use_stale, search)
    outcome = await _inbox().run(engine, engine.start_resolve, text, settings)
    return _types.resolution_of(text, _checked("resolve", text, outcome))


async def connect(
    target: Target,
    *,
    resolver: Optional[Resolver] = None,
    timeout: Optional[float] = DEFAULT_TIMEOUT,
    source_address: Optional[Tuple[str, int]] = None,
    families: Optional[Families] = None,
    policy: Optional[Policy] = None,
    mode: Optional[Mode] = None,
    hash_key: Optional[str] = None,
    attempt_delay: Optional[float] = None,
    interface: Optional[str] = None,
    https_records: Optional[bool] = None,
    use_cache: bool = True,
    use_stale: bool = True,
    search: bool = True,
) -> Connection:
    """As `Resolver.connect()`; the socket does not block, as loops want it."""
    engine, text = _resolver(resolver), text_of(target)
    settings = connect_settings(
        timeout, source_address, families, policy, mode, hash_key, attempt_delay, interface, https_records,
        use_cache, use_stale, search,
    )  # fmt: skip
    outcome = await _inbox().run(engine, engine.start_connect, text, settings)
    made = connection_of(text, _checked("connect", text, outcome))
    made.socket.setblocking(False)
    return made


async def open_connection(
    host: Union[Target, str, None] = None,
    port: Union[int, str, None] = None,
    *,
    ssl: Union[_ssl.SSLContext, bool, None] = None,
    server_hostname: Optional[str] = None,
    resolver: Optional[Resolver] = None,
    limit: int = 2**16,
    timeout: Optional[float] = DEFAULT_TIMEOUT,
    source_address: Optional[Tuple[str, int]] = None,
    families: Optional[Families] = None,
    policy: Optional[Policy] = None,
    mode: Optional[Mode] = None,
    attempt_delay: Optional[float] = None,
    ssl_handshake_timeout: Optional[float] = None,
    ssl_shutdown_timeout: Optional[float] = None,
) -> Tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """As `asyncio.open_connection()`: (host, port), or one target as "host:port". With `ssl`, TLS is asyncio's, for
    `server_hostname` or else the host. A server that fails the handshake is reported to the resolver's memory."""
    target: Target = host if port is None and host is not None else (host, port)  # type: ignore[assignment]
    if server_hostname is not None and not ssl:
        raise ValueError("server_hostname is only meaningful with ssl")
    over = resolver if resolver is not None else _shared()
    made = await connect(
        target, resolver=over, timeout=timeout, source_address=source_address, families=families, policy=policy,
        mode=mode, attempt_delay=attempt_delay,
    )  # fmt: skip
    tls: Dict[str, Any] = {}
    if ssl:
        name = server_hostname if server_hostname is not None else host_in(target)
        tls = {"ssl": ssl, "server_hostname": name, "ssl_handshake_timeout": ssl_handshake_timeout}
        if ssl_shutdown_timeout is not None:
            tls["ssl_shutdown_timeout"] = ssl_shutdown_timeout
    try:
        return await asyncio.open_connection(sock=made.socket, limit=limit, **tls)
    except BaseException as e:
        made.close()
        if ssl and isinstance(e, (OSError, asyncio.TimeoutError)) and not over.closed:
            over.report(made.endpoint, False)
        raise


async def explain(
    target: Target,
    *,
    resolver: Optional[Resolver] = None,
    timeout: float = LOOKUP_TIMEOUT,
    families: Optional[Families] = None,
    policy: Optional[Policy] = None,
    mode: Optional[Mode] = None,
    use_cache: bool = True,
) -> Explanation:
    """As `Resolver.explain()`."""
    engine, text = _resolver(resolver), text_of(target)
    settings = connect_settings(timeout, None, families, policy, mode, use_cache=use_cache)
    outcome = await _inbox().run(engine, engine.start_explain, text, settings)
    return _types.explanation_of(text, _checked("explain", text, outcome))


async def probe(
    target: Target,
    *,
    resolver: Optional[Resolver] = None,
    timeout: float = DEFAULT_TIMEOUT,
    families: Optional[Families] = None,
    use_cache: bool = True,
) -> ProbeReport:
    """As `Resolver.probe()`."""
    engine, text = _resolver(resolver), text_of(target)
    settings = connect_settings(timeout, None, families, use_cache=use_cache)
    outcome = await _inbox().run(engine, engine.start_probe, text, settings)
    return _types.probe_report_of(text, _checked("probe", text, outcome))
