"""A TCP server on every IPv4 and IPv6 address of a namespace, whose conversation the test gives."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Callable


class StreamService:
    """`talk(connection)` runs for each connection on a thread of its own; `served` counts by server address."""

    def __init__(self, port: int, talk: Callable[[socket.socket], None]) -> None:
        served = self.served = Counter()

        class Handler(BaseRequestHandler):
            def handle(self) -> None:
                served[self.request.getsockname()[0]] += 1
                try:
                    talk(self.request)
                except OSError:
                    pass  # gone in the middle of it

        class ServerV4(ThreadingTCPServer):
            allow_reuse_address, daemon_threads, block_on_close = True, True, False

        class ServerV6(ServerV4):
            address_family = socket.AF_INET6

            def server_bind(self) -> None:
                self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                super().server_bind()

        self._servers = [ServerV4(("0.0.0.0", port), Handler), ServerV6(("::", port), Handler)]
        self._threads = [threading.Thread(target=s.serve_forever, args=(0.05,), daemon=True) for s in self._servers]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()
        for thread in self._threads:
            thread.join()


def receive_exactly(connection: socket.socket, count: int) -> bytes:
    """Raises OSError where the peer ends before."""
    got = b""
    while len(got) < count:
        some = connection.recv(count - len(got))
        if not some:
            raise ConnectionResetError
        got += some
    return got
