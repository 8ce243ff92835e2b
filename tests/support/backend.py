"""A TCP server on every address of a namespace: greets with the address it was reached on, and counts."""

from __future__ import annotations

import selectors
import socket
import threading
from collections import Counter


#: Where the end-to-end tests have it, on every server address.
PORT = 8080


class Backend:
    """Listens on 0.0.0.0 and [::], in the network namespace of the thread that makes it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.accepted: Counter[str] = Counter()   # connections by server address
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
            connection, _ = listener.accept()
        except OSError:
            return  # gone again before it was accepted
        address = connection.getsockname()[0]
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
