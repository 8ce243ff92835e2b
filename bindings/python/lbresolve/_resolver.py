"""The resolver, for calls that wait."""

from __future__ import annotations

import builtins
import errno
import os
import socket
from typing import TYPE_CHECKING, Any, Dict, List, Literal, Mapping, Optional, Sequence, Tuple, Type, Union

from . import _errors, _types
from ._engines import engine_for
from ._native import Engine, Outcome
from ._targets import (
    Target,
    host_of,
    milliseconds,
    port_of,
    source_settings,
    text_of,
    timeout_settings,
)
from ._types import Connection, Endpoint, Explanation, Health, ProbeReport, Resolution

if TYPE_CHECKING:
    from types import TracebackType

Policy = Literal["balanced", "fastest", "round_robin", "random", "hash", "in_order"]
Mode = Literal["server", "client", "hybrid"]
Families = Literal["both", "ipv4", "ipv6"]
UpstreamChoice = Literal["ordered", "fastest", "race"]

DEFAULT_TIMEOUT = 15.0  #: seconds, of a connect
LOOKUP_TIMEOUT = 5.0  #: seconds, of a resolve

# What callers give that have nothing to say.
_GLOBAL_DEFAULT: Any = getattr(socket, "_GLOBAL_DEFAULT_TIMEOUT", object())


class Resolver:
    """Looks names up, and connects by name.

    All that have the same settings share one cache, one memory of endpoints and one thread, which is started when the
    network is first needed: making a Resolver again costs next to nothing. Safe to use from any thread, and in a child
    after fork. Times are in seconds.
    """

    def __init__(
        self,
        *,
        servers: Sequence[str] = (),
        domain_servers: Optional[Mapping[str, Sequence[str]]] = None,
        bootstrap: Sequence[str] = (),
        policy: Policy = "balanced",
        mode: Mode = "hybrid",
        families: Families = "both",
        band: Optional[float] = None,
        learn_weights: bool = False,
        rotation_window: Optional[float] = None,
        probing: bool = True,
        state_file: Union[str, os.PathLike[str], None] = None,
        attempt_delay: Optional[float] = None,
        resolution_delay: Optional[float] = None,
        max_live_attempts: Optional[int] = None,
        query_timeout: Optional[float] = None,
        try_timeout: Optional[float] = None,
        hedge_delay: Optional[float] = None,
        upstream_choice: Optional[UpstreamChoice] = None,
        trust_ad: bool = False,
        ca_file: Union[str, os.PathLike[str], None] = None,
        client_subnet: Optional[str] = None,
        cache_bytes: Optional[int] = None,
        max_ttl: Optional[float] = None,
        min_ttl: Optional[float] = None,
        prefetch: bool = True,
        stale_window: Optional[float] = None,
        rebinding_filter: bool = False,
        rebinding_allowed: Sequence[str] = (),
        nat64_prefix: Optional[str] = None,
        resolv_conf: Union[str, os.PathLike[str], None] = None,
        hosts: Union[str, os.PathLike[str], None] = None,
    ) -> None:
        """`servers`: "192.0.2.53", "tls://1.1.1.1#cloudflare-dns.com", "https://dns.example/dns-query"; none: the
        system's. What every setting means is in docs/python.md. ValueError where one cannot be used."""
        settings: Dict[str, Any] = {}

        def put(name: str, value: Any, unless: Any = None) -> None:
            if value != unless:
                settings[name] = value

        if isinstance(servers, str):
            raise TypeError("servers is to be a sequence of strings, as ['192.0.2.53']")
        put("servers", list(servers), [])
        put("domain_servers", {k: list(v) for k, v in (domain_servers or {}).items()}, {})
        put("bootstrap", list(bootstrap), [])
        put("policy", policy, "balanced")
        put("mode", mode, "hybrid")
        put("families", families, "both")
        put("band", None if band is None else float(band))
        put("learn_weights", learn_weights, False)
        put("probing", probing, True)
        put("max_live_attempts", max_live_attempts)
        put("upstream_choice", upstream_choice)
        put("trust_ad", trust_ad, False)
        put("client_subnet", client_subnet)
        put("cache_bytes", cache_bytes)
        put("prefetch", prefetch, True)
        put("rebinding_filter", rebinding_filter, False)
        put("rebinding_allowed", list(rebinding_allowed), [])
        put("nat64_prefix", nat64_prefix)
        for name, path in (
            ("state_file", state_file),
            ("ca_file", ca_file),
            ("resolv_conf", resolv_conf),
            ("hosts", hosts),
        ):
            put(name, None if path is None else os.fspath(path))
        for name, seconds in (
            ("attempt_delay", attempt_delay),
            ("resolution_delay", resolution_delay),
            ("query_timeout", query_timeout),
            ("try_timeout", try_timeout),
            ("hedge_delay", hedge_delay),
        ):
            put(f"{name}_ms", None if seconds is None else milliseconds(seconds, name))
        for name, seconds in (
            ("rotation_window", rotation_window),
            ("max_ttl", max_ttl),
            ("min_ttl", min_ttl),
            ("stale_window", stale_window),
        ):
            put(f"{name}_s", None if seconds is None else int(seconds))
        self._engine: Optional[Engine] = engine_for(settings)

    def __enter__(self) -> Resolver:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], value: Optional[BaseException], traceback: Optional[TracebackType]
    ) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of what it shares; the last to do so ends the thread. Calls on it raise ValueError from then on."""
        self._engine = None

    @property
    def closed(self) -> bool:
        return self._engine is None

    def _use(self) -> Engine:
        if self._engine is None:
            raise ValueError("the resolver is closed")
        return self._engine

    # --- looking up and connecting

    def resolve(
        self,
        target: Target,
        *,
        timeout: float = LOOKUP_TIMEOUT,
        families: Optional[Families] = None,
        use_cache: bool = True,
        use_stale: bool = True,
        search: bool = True,
    ) -> Resolution:
        """What `target` stands for: "host", "host:port", "_service._tcp.host" or (host, port). Raises ResolveError."""
        text = _lookup_text(target)
        settings = resolve_settings(timeout, families, use_cache, use_stale, search)
        return _types.resolution_of(text, _checked("resolve", text, self._use().resolve(text, settings)))

    def connect(
        self,
        target: Target,
        *,
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
        """Races the addresses of "host:port", "https://host", "_service._tcp.host" or (host, port). The socket is in
        blocking mode, without a timeout. Raises ResolveError, ConnectError."""
        settings = connect_settings(
            timeout, source_address, families, policy, mode, hash_key, attempt_delay, interface, https_records,
            use_cache, use_stale, search,
        )  # fmt: skip
        text = text_of(target)
        made = connection_of(text, _checked("connect", text, self._use().connect(text, settings)))
        made.socket.settimeout(None)
        return made

    def create_connection(
        self,
        address: Tuple[Optional[str], Union[int, str, None]],
        timeout: Optional[float] = _GLOBAL_DEFAULT,
        source_address: Optional[Tuple[str, int]] = None,
        *,
        all_errors: bool = False,
    ) -> socket.socket:
        """As `socket.create_connection()`, its errors included. `timeout` is that of the socket too; where none is
        given and `socket.setdefaulttimeout()` has set none, the connect ends after 15 s. None: it waits as long as the
        system does."""
        host, port = address
        number = port_of(port)
        is_given = timeout is not _GLOBAL_DEFAULT
        if not is_given:
            timeout = socket.getdefaulttimeout()
        if timeout == 0:
            # A connect that may not wait cannot be raced.
            raise BlockingIOError(errno.EINPROGRESS, os.strerror(errno.EINPROGRESS))
        settings = timeout_settings(timeout if is_given or timeout is not None else DEFAULT_TIMEOUT)
        name = host_of(host)
        if source_address is not None:
            settings.update(source_settings(source_address))
        if number == 0:
            self.resolve(name, timeout=settings["timeout_ms"] / 1000)
            raise _errors.connect_error(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
        text = f"[{name}]:{number}" if ":" in name else f"{name}:{number}"
        outcome = self._use().connect(text, settings)
        if not outcome.ok:
            raise _connect_failure(text, outcome, all_errors)
        made = socket_of(outcome.take_socket())
        made.settimeout(timeout)
        return made

    # --- choosing, for programs that have connections of their own

    def pick(self, target: Target) -> Endpoint:
        """The endpoint for the next request, chosen among the members of the target in about a microsecond. Waits
        until the target has been looked up, the first time. Tell what comes of it with begin() and report()."""
        engine = self._engine
        if engine is None:
            engine = self._use()
        text = target if isinstance(target, str) else text_of(target)
        picked = engine.pick(text)
        if isinstance(picked, Endpoint):
            return picked
        raise _errors.error_of("resolve", text, picked)

    def begin(self, endpoint: Union[Endpoint, Tuple[str, int]]) -> None:
        """A request begins there: it counts as load until report()."""
        self._use().begin(*_address_and_port(endpoint))

    def report(
        self, endpoint: Union[Endpoint, Tuple[str, int]], success: bool, *, latency: Optional[float] = None
    ) -> None:
        """A request there went well, or did not; `latency` in seconds. Three failures in a row take an endpoint out of
        use for a while, where its name has others."""
        self._use().report(*_address_and_port(endpoint), bool(success), latency)

    # --- looking inside

    def explain(
        self,
        target: Target,
        *,
        timeout: float = LOOKUP_TIMEOUT,
        families: Optional[Families] = None,
        policy: Optional[Policy] = None,
        mode: Optional[Mode] = None,
        use_cache: bool = True,
    ) -> Explanation:
        """What connect would do now, and why. Opens no connection."""
        text = text_of(target)
        settings = connect_settings(timeout, None, families, policy, mode, use_cache=use_cache)
        return _types.explanation_of(text, _checked("explain", text, self._use().explain(text, settings)))

    def probe(
        self,
        target: Target,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        families: Optional[Families] = None,
        use_cache: bool = True,
    ) -> ProbeReport:
        """Connects to every address of a target now, and remembers how it went."""
        text = text_of(target)
        settings = connect_settings(timeout, None, families, use_cache=use_cache)
        return _types.probe_report_of(text, _checked("probe", text, self._use().probe(text, settings)))

    def health(self) -> List[Health]:
        """All that is known of endpoints on the present network."""
        return [Health._from(record) for record in self._use().health()]

    def forget_health(self) -> None:
        """Forgets it, in the state file too."""
        self._use().forget_health()

    def clear_cache(self) -> None:
        """Forgets all cached answers."""
        self._use().clear_cache()


def resolve_settings(
    timeout: float, families: Optional[str], use_cache: bool, use_stale: bool, search: bool
) -> Dict[str, Any]:
    settings = timeout_settings(timeout)
    if families is not None:
        settings["families"] = families
    _put_switches(settings, use_cache, use_stale, search)
    return settings


def connect_settings(
    timeout: Optional[float],
    source_address: Optional[Tuple[str, int]] = None,
    families: Optional[str] = None,
    policy: Optional[str] = None,
    mode: Optional[str] = None,
    hash_key: Optional[str] = None,
    attempt_delay: Optional[float] = None,
    interface: Optional[str] = None,
    https_records: Optional[bool] = None,
    use_cache: bool = True,
    use_stale: bool = True,
    search: bool = True,
) -> Dict[str, Any]:
    settings = timeout_settings(timeout)
    for name, value in (
        ("families", families),
        ("policy", policy),
        ("mode", mode),
        ("hash_key", hash_key),
        ("interface", interface),
        ("https_records", https_records),
    ):
        if value is not None:
            settings[name] = value
    if attempt_delay is not None:
        settings["attempt_delay_ms"] = milliseconds(attempt_delay, "attempt_delay")
    _put_switches(settings, use_cache, use_stale, search)
    settings.update(source_settings(source_address))
    return settings


def _put_switches(settings: Dict[str, Any], use_cache: bool, use_stale: bool, search: bool) -> None:
    for name, value in (("use_cache", use_cache), ("use_stale", use_stale), ("search", search)):
        if not value:
            settings[name] = False


def _lookup_text(target: Target) -> str:
    """A lookup does without a port."""
    if not isinstance(target, str) and port_of(target[1]) == 0:
        return host_of(target[0])
    return text_of(target)


def _checked(kind: str, text: str, outcome: Outcome) -> Outcome:
    if outcome.ok:
        return outcome
    raise _errors.error_of(kind, text, outcome)


def _connect_failure(text: str, outcome: Outcome, all_errors: bool) -> Exception:
    failure = _errors.error_of("connect", text, outcome)
    if isinstance(failure, ValueError):  # the port is one: so it is the host, which getaddrinfo() would not find
        return _errors.ResolveError(socket.EAI_NONAME, str(failure))
    if all_errors and isinstance(failure, _errors.ConnectError) and failure.attempts:
        group = getattr(builtins, "ExceptionGroup", None)  # Python 3.11
        if group is not None:
            grouped: Exception = group("create_connection failed", _errors.each_of(failure))
            return grouped
    return failure


def socket_of(taken: Tuple[int, str, int, bool]) -> socket.socket:
    family = socket.AF_INET6 if taken[3] else socket.AF_INET
    return socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, taken[0])


def connection_of(text: str, outcome: Outcome) -> Connection:
    """Its socket does not block yet."""
    taken = outcome.take_socket()
    endpoint = Endpoint(taken[1], taken[2], "ipv6" if taken[3] else "ipv4")
    return Connection(text, socket_of(taken), endpoint, outcome)


def _address_and_port(endpoint: Union[Endpoint, Tuple[str, int]]) -> Tuple[str, int]:
    if isinstance(endpoint, Endpoint):
        return endpoint.address, endpoint.port or 0
    return endpoint[0], endpoint[1]
