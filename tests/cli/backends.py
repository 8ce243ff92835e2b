"""Things to connect to on loopback: two that accept, two that refuse, one that never answers."""

import contextlib
import socket

GOOD, ALSO_GOOD, REFUSING, ALSO_REFUSING, SILENT = (f"127.0.0.{n}" for n in (11, 12, 17, 16, 18))


class Backends:
    """All on one port, which the kernel chooses. Nothing listens on those that refuse."""

    def __init__(self):
        self._open = contextlib.ExitStack()
        self.port = self._listen(GOOD, 0, 512).getsockname()[1]
        self._listen(ALSO_GOOD, self.port, 512)
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
