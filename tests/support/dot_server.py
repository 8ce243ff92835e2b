"""A scripted DNS server behind TLS (RFC 7858), which does to a connection what real servers do at times.

    server = DotServer({("www.example", "A"): a("192.0.2.1")}, certificate=pem, host="127.0.0.1", port=853)

Answers are those of dns_server.py, with `transport` "tls" in the queries. Besides, all of it changeable while it runs:
`backlog`, replies that are held back until there are so many, then sent with the last one first; `mangle`, the last
hand on the octets of a reply with its length; `after_reply`, what becomes of a connection once a reply, or a part of
one, is out.
"""

from __future__ import annotations

import queue
import select
import socket
import ssl
import struct
import time
from typing import Callable, Optional

from dns_server import DnsServer

_LOOK_AGAIN = 0.005   # seconds


class DotServer(DnsServer):
    """Runs from construction to close(). The UDP port of that number is read too: nothing should come there."""

    def __init__(self, answers=None, *, context: ssl.SSLContext, idle: Optional[float] = None, **options) -> None:
        """`context`: see certificates.server_context. `idle`: seconds until a silent connection is closed."""
        self.context = context
        self.idle = idle
        self.backlog = 1
        self.mangle: Callable[[bytes], bytes] = lambda framed: framed
        self.after_reply: Optional[str] = None    # "close": both ways; "half": ours only; "mute": nothing
        self.first_octets: list[bytes] = []       # of every connection: a TLS record, or what should not have been sent
        self.resumed: list[bool] = []             # of every handshake: the session was one from before
        super().__init__(answers, **options)

    @property
    def handshakes(self) -> int:
        return len(self.resumed)

    def _serve_stream(self, stream: socket.socket, client) -> None:
        try:
            stream.settimeout(10)
            self.first_octets.append(stream.recv(5, socket.MSG_PEEK))
            with self.context.wrap_socket(stream, server_side=True) as secured:
                self.resumed.append(bool(secured.session_reused))
                self._connections.append(secured)
                _Conversation(self, secured, client).go_on()
        except (OSError, EOFError, ValueError):
            stream.close()   # refused by the client, closed, or broken off by close()

    def take(self, data: bytes, client, send) -> None:
        self._take(data, "tls", client, send)


class _Conversation:
    """One connection, on one thread: OpenSSL wants that. Replies that are late come in through a queue."""

    def __init__(self, server: DotServer, stream: ssl.SSLSocket, client) -> None:
        self._server, self._stream, self._client = server, stream, client
        self._replies: queue.Queue[bytes] = queue.Queue()
        self._heard = time.monotonic()
        self._in = b""

    def go_on(self) -> None:
        while True:
            self._read()
            if self._replies.qsize() >= self._server.backlog:
                self._write()
            idle = self._server.idle
            if idle is not None and time.monotonic() - self._heard > idle:
                self._stream.unwrap()
                raise EOFError

    def _read(self) -> None:
        if not self._stream.pending() and not select.select([self._stream], [], [], _LOOK_AGAIN)[0]:
            return
        self._stream.setblocking(False)
        try:
            more = self._stream.recv(65536)
        except ssl.SSLWantReadError:
            return
        finally:
            self._stream.settimeout(10)
        if not more:
            raise EOFError
        self._heard = time.monotonic()
        self._in += more
        while len(self._in) >= 2 and len(self._in) >= (size := 2 + struct.unpack("!H", self._in[:2])[0]):
            message, self._in = self._in[2:size], self._in[size:]
            self._server.take(message, self._client, self._replies.put)

    def _write(self) -> None:
        replies = [self._replies.get() for _ in range(self._replies.qsize())]
        for reply in reversed(replies):
            self._stream.sendall(self._server.mangle(struct.pack("!H", len(reply)) + reply))
            if self._server.after_reply == "close":
                raise EOFError
            if self._server.after_reply == "half":
                self._close_our_half()
            if self._server.after_reply == "mute":
                self._stay_mute()

    def _stay_mute(self) -> None:
        while self._stream.recv(65536):
            pass
        raise EOFError

    def _close_our_half(self) -> None:
        """No more comes from here, while the client's queries are still taken; until it closes."""
        self._stream.setblocking(False)
        try:
            self._stream.unwrap()
        except ssl.SSLWantReadError:
            pass   # close_notify is out; the client's has not come
        raw = socket.socket(fileno=self._stream.detach())
        with raw:
            raw.shutdown(socket.SHUT_WR)
            raw.settimeout(10)
            while raw.recv(65536):
                pass
        raise EOFError
