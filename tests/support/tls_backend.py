"""A TLS server whose every address behaves as a test wants."""

from __future__ import annotations

import socket
import struct
import threading
from dataclasses import dataclass, field
from pathlib import Path

from certificates import server_context

TLS_PORT = 8443
RESET = struct.pack("ii", 1, 0)   # SO_LINGER of a socket whose close() sends RST


@dataclass
class Site:
    """What an address does."""

    certificate: Path | None = None   # None: accepts, and says nothing
    alpn: list[str] = field(default_factory=list)
    resets: bool = False              # once it is asked something, it ends the connection without a word


class TlsBackend:
    """Listens on 0.0.0.0, in the network namespace of the thread that makes it."""

    def __init__(self, sites: dict[str, Site], port: int = TLS_PORT, says: bytes = b"") -> None:
        """`says` is sent to every client once it has said something."""
        self.sites = sites
        self._says = says
        self.first_octets: list[bytes] = []   # of every connection: a TLS record, or what should not have been sent
        self.heard: list[bytes] = []          # what clients said inside TLS
        self.finished: list[str] = []         # addresses at which a handshake was finished
        self._listener = socket.create_server(("0.0.0.0", port), backlog=100)
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        address = connection.getsockname()[0]
        site = self.sites[address]
        try:
            self.first_octets.append(connection.recv(5, socket.MSG_PEEK))
            if site.certificate is None:
                return
            context = server_context(site.certificate, site.alpn)
            with context.wrap_socket(connection, server_side=True) as stream:
                self.finished.append(address)
                self.heard.append(stream.recv(100))
                if site.resets:
                    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                else:
                    stream.sendall(self._says)
        except OSError:
            pass  # refused by the client, as some tests want

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            connection.close()
