"""The standard library's own ways to a connection by name, led through lbresolve for a while."""

from __future__ import annotations

import contextlib
import socket
from typing import Any, Iterator, List, Optional, Union

from .. import Resolver
from ._feedback import FAMILIES

#: With these flags there is nothing to look up, or IPv4 addresses are to be dressed up as IPv6 ones.
_FOR_THE_SYSTEM = socket.AI_NUMERICHOST | getattr(socket, "AI_V4MAPPED", 0)


@contextlib.contextmanager
def patch_socket(resolver: Optional[Resolver] = None) -> Iterator[None]:
    """Replaces `socket.create_connection` and `socket.getaddrinfo`, for all threads of this process, until the block
    ends.

    So http.client, urllib.request, smtplib, ftplib, imaplib and whatever else calls `socket.create_connection` connect
    through lbresolve: its race, its order, its memory. Programs that look names up with `socket.getaddrinfo` and then
    connect by themselves get the addresses in lbresolve's order, and the memory learns nothing from them. What has been
    imported from `socket` by name before stays as it was.

    Args:
        resolver: whose settings, cache and memory to use; None: the default ones.
    """
    via = Resolver() if resolver is None else resolver
    before = {"create_connection": socket.create_connection, "getaddrinfo": socket.getaddrinfo}
    ours = {"create_connection": via.create_connection, "getaddrinfo": _getaddrinfo(via, socket.getaddrinfo)}
    for name, function in ours.items():
        setattr(socket, name, function)
    try:
        yield
    finally:
        for name, function in before.items():
            setattr(socket, name, function)


def _getaddrinfo(via: Resolver, of_system: Any) -> Any:
    def getaddrinfo(
        host: Union[str, bytes, None], port: Union[str, bytes, int, None],
        family: int = 0, type: int = 0, proto: int = 0, flags: int = 0,
    ) -> List[Any]:
        if not host or flags & _FOR_THE_SYSTEM or family not in FAMILIES or _is_address(host):
            return list(of_system(host, port, family, type, proto, flags))
        name = host if isinstance(host, bytes) else host.encode("ascii" if host.isascii() else "idna")
        found = via.resolve(name.decode("ascii"), families=FAMILIES[family])
        numeric = flags & socket.AI_NUMERICSERV | socket.AI_NUMERICHOST
        rows = [row for endpoint in found.endpoints
                for row in of_system(endpoint.address, port, family, type, proto, numeric)]
        if flags & socket.AI_CANONNAME:
            rows[0] = (*rows[0][:3], found.canonical_name, rows[0][4])
        return rows

    return getaddrinfo


def _is_address(host: Union[str, bytes]) -> bool:
    """Also in the old ways to write one, such as 127.1."""
    text = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    try:
        socket.inet_aton(text)
    except (OSError, ValueError):
        return ":" in text
    return True
