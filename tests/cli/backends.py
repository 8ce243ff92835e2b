"""Things to connect to on loopback: one that accepts, one that refuses, one that never answers."""

import contextlib
import socket

GOOD, REFUSING, SILENT = "127.0.0.11", "127.0.0.17", "127.0.0.18"


class Backends:
    """All on one port, which the kernel chooses. Nothing listens on REFUSING."""

    def __init__(self):
        self._open = contextlib.ExitStack()
        self.port = self._listen(GOOD, 0, 512).getsockname()[1]
        # Linux drops a SYN to a full accept queue: this address is silent from here on.
        self._listen(SILENT, self.port, 0)
        for _ in range(4):
            filler = self._open.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex((SILENT, self.port))

    def _listen(self, host, port, backlog):
        listener = self._open.enter_context(socket.socket())
        listener.bind((host, port))
        listener.listen(backlog)
        return listener

    def close(self):
        self._open.close()
