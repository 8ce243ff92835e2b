"""What stands behind every address of a namespace: a TCP server that greets with the address it was reached on and
counts, and beside it an HTTP server that says for each address whether it is well, as the DNS side's checks ask.

An address is killed, dropped, rejected and brought back by the filter (network_lab.py), slowed by the link
(delay_link.py), and told to be unwell while it still serves by `HealthPage`.
"""

from __future__ import annotations

import selectors
import socket
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import Collection


#: Where the end-to-end tests have the two, on every server address.
PORT, HEALTH_PORT = 8080, 8081


class Backend:
    """Listens on 0.0.0.0 and [::], in the network namespace of the thread that makes it."""

    def __init__(self, port: int, clients: Collection[str] = ()) -> None:
        """Counts the connections of these clients only, when given: a DNS server's checks are not the test's."""
        self.port = port
        self.accepted: Counter[str] = Counter()   # connections by server address
        self._clients = frozenset(clients)
        self._selector = selectors.DefaultSelector()
        self._wake_read, self._wake_write = socket.socketpair()
        self._selector.register(self._wake_read, selectors.EVENT_READ)
        for family, host in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
            listener = socket.create_server((host, port), family=family, backlog=1024)
            listener.setblocking(False)
            self._selector.register(listener, selectors.EVENT_READ, self._accept)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._wake_read:
                    return
                key.data(key.fileobj)

    def _accept(self, listener: socket.socket) -> None:
        try:
            connection, peer = listener.accept()
        except OSError:
            return  # gone again before it was accepted
        address = connection.getsockname()[0]
        if not self._clients or peer[0] in self._clients:
            self.accepted[address] += 1
        try:
            connection.sendall(f"{address}\n".encode())
            connection.setblocking(False)
            self._selector.register(connection, selectors.EVENT_READ, self._read)
        except OSError:
            connection.close()

    def _read(self, connection: socket.socket) -> None:
        """The client closes first; what it sends is not of interest here."""
        try:
            if connection.recv(65_536):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self._selector.unregister(connection)
        connection.close()

    def close(self) -> None:
        self._wake_write.send(b"x")
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()
        self._selector.close()
        self._wake_write.close()


class HealthPage:
    """Answers GET /health with 200, or with 503 on the addresses in `unwell`. In the making thread's namespace."""

    def __init__(self, port: int) -> None:
        self.unwell: set[str] = set()
        unwell = self.unwell

        class Page(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(503 if self.connection.getsockname()[0] in unwell else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_) -> None:
                """Nothing is printed."""

        class ServerV4(ThreadingTCPServer):
            allow_reuse_address, daemon_threads = True, True

        class ServerV6(ServerV4):
            address_family = socket.AF_INET6

            def server_bind(self) -> None:
                self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                super().server_bind()

        self._servers = [ServerV4(("0.0.0.0", port), Page), ServerV6(("::", port), Page)]
        self._threads = [threading.Thread(target=s.serve_forever, args=(0.05,), daemon=True) for s in self._servers]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()
        for thread in self._threads:
            thread.join()
