"""The DNS side of a DoH server, as a web server in front of it sees it: HTTP/1.1 in the clear (RFC 8484 over it), with
paths that do what servers should not."""

from __future__ import annotations

import base64
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from urllib.parse import parse_qs, urlsplit

from dns_server import DnsServer, build_reply, parse_query

#: More than a DNS message can have.
OVERSIZED = 70_000


class HttpOrigin:
    """Answers what `dns` answers, from construction to close(). Its paths: /dns-query; /page, the wrong content type;
    /oversized; /slow, which never answers; /garbage, the right type with something else in it."""

    def __init__(self, dns: DnsServer, address: str, port: int) -> None:
        self.requests: Counter[str] = Counter()   # by method and path: "POST /dns-query"
        self._gone = threading.Event()
        origin = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                sent = parse_qs(urlsplit(self.path).query).get("dns", [""])[0]
                self._answer(base64.urlsafe_b64decode(sent + "=" * (-len(sent) % 4)))

            def do_POST(self) -> None:
                self._answer(self.rfile.read(int(self.headers["Content-Length"])))

            def _answer(self, message: bytes) -> None:
                path = urlsplit(self.path).path
                origin.requests[f"{self.command} {path}"] += 1
                if path == "/slow":
                    origin._gone.wait(30)
                    return
                query = parse_query(message, "https", self.client_address)
                dns.queries.append(query)
                reply = build_reply(query, dns.choose(query))
                if path == "/page":
                    self._send("text/html", b"<p>hello</p>")
                elif path == "/oversized":
                    self._send("application/dns-message", reply + bytes(OVERSIZED))
                elif path == "/garbage":
                    self._send("application/dns-message", b"not a message")
                else:
                    self._send("application/dns-message", reply)

            def _send(self, kind: str, body: bytes) -> None:
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments) -> None:
                pass

        class Server(ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True
            block_on_close = False

        self._server = Server((address, port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._gone.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
