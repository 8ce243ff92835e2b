"""Reading what people ask for, in the forms that the socket module takes."""

from __future__ import annotations

import math
import re
import socket
from typing import Any, Dict, Optional, Tuple, Union

from ._errors import ResolveError

#: "host:port", "https://host", "_service._tcp.host", or the pair that `socket.create_connection()` takes.
Target = Union[str, Tuple[Optional[Union[str, bytes]], Union[int, str, bytes, None]]]

_ENDS_IN_A_NUMBER = re.compile(r"(?:^|\.)(?:\d+|0[xX][0-9a-fA-F]*)\.?$")

#: The longest wait that there is a use for; the kernel gives an address up after about two minutes.
FOREVER_MS = 24 * 3600 * 1000


def text_of(target: Target) -> str:
    """The target as the library reads it."""
    if isinstance(target, str):
        return target
    host, port = target
    name, number = host_of(host), port_of(port)
    return f"[{name}]:{number}" if ":" in name else f"{name}:{number}"


def host_of(host: Union[str, bytes, bytearray, None]) -> str:
    """A name in ASCII (IDNA, as the socket module encodes it), or an address in its usual form."""
    if host is None:
        return "localhost"
    if isinstance(host, (bytes, bytearray)):
        name = host.decode("ascii", "surrogateescape")
    elif isinstance(host, str):
        name = host if _is_plain(host) else host.encode("idna").decode("ascii")
    else:
        raise TypeError(f"the host is to be a string, bytes or None, not {type(host).__name__}")
    if not name or name.startswith("["):
        raise ResolveError(socket.EAI_NONAME, f"{name!r} is no host name")
    if ":" in name:
        return _numbered_scope(name)
    return _dotted(name) if _ENDS_IN_A_NUMBER.search(name) else name


def _is_plain(host: str) -> bool:
    return host.isascii() and len(host) < 64 and ".." not in host and not host.startswith(".")


def _dotted(name: str) -> str:
    """127.1, 0x7f.1 and so on are addresses to getaddrinfo()."""
    try:
        return socket.inet_ntoa(socket.inet_aton(name))
    except OSError:
        return name


def _numbered_scope(name: str) -> str:
    """fe80::1%eth0 as fe80::1%2."""
    address, percent, scope = name.partition("%")
    if not percent or scope.isdigit():
        return name
    try:
        return f"{address}%{socket.if_nametoindex(scope)}"
    except OSError:
        raise ResolveError(socket.EAI_NONAME, f"{name}: there is no interface {scope}") from None


def port_of(port: Union[int, str, bytes, None]) -> int:
    if port is None:
        return 0
    if isinstance(port, bytes):
        port = port.decode("ascii", "replace")
    if isinstance(port, str):
        try:
            port = int(port) if port.isdigit() else socket.getservbyname(port, "tcp")
        except OSError:
            raise ResolveError(socket.EAI_SERVICE, f"there is no service {port!r}") from None
    if not isinstance(port, int):
        raise OSError("Int or String expected")  # the words of getaddrinfo()
    if not 0 <= port <= 65535:
        raise ResolveError(socket.EAI_SERVICE, f"port {port} is not in 0 to 65535")
    return port


def milliseconds(seconds: float, what: str = "timeout") -> int:
    """Seconds as the library takes them."""
    if isinstance(seconds, bool) or not hasattr(seconds, "__float__"):
        raise TypeError(f"{what} is to be a number of seconds, not {type(seconds).__name__}")
    value = float(seconds)
    if not value > 0:
        raise ValueError(f"{what} is {seconds}: give a positive number of seconds")
    return FOREVER_MS if value * 1000 > FOREVER_MS else math.ceil(value * 1000)


def timeout_settings(timeout: Optional[float]) -> Dict[str, Any]:
    return {"timeout_ms": FOREVER_MS if timeout is None else milliseconds(timeout)}


def source_settings(source: Optional[Tuple[Union[str, bytes], int]]) -> Dict[str, Any]:
    """Where connections come from, as bind() takes it: ("", 0) says nothing."""
    if source is None:
        return {}
    host, port = source
    out: Dict[str, Any] = {}
    if host not in ("", b""):
        name = host_of(host)
        # A name here is the caller's own host: the system knows it.
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)[0][4][0] if not _is_address(name) else name
        out["source_address"] = found
    if port:
        out["source_port"] = port_of(port)
    return out


def _is_address(name: str) -> bool:
    return ":" in name or bool(_ENDS_IN_A_NUMBER.search(name))


def host_in(target: Target) -> str:
    """The host that a target names, for a TLS handshake."""
    if not isinstance(target, str):
        return host_of(target[0])
    rest = target.partition("://")[2] or target
    if rest.startswith("["):
        return rest[1:].partition("]")[0]
    host = rest.partition("/")[0].partition(":")[0].rstrip(".")
    labels = host.split(".")
    return ".".join(labels[2:]) if len(labels) > 2 and labels[0][:1] == labels[1][:1] == "_" else host
