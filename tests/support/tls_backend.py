"""Certificates made by the openssl command, and a TLS server whose every address behaves as a test wants."""

from __future__ import annotations

import base64
import hashlib
import socket
import ssl
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path

TLS_PORT = 8443
_EC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]


class Authority:
    """A certificate authority of the test's own."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._count = 0
        self.file, self._key = directory / "ca.pem", directory / "ca.key"
        _openssl("req", "-x509", *_EC, "-keyout", self._key, "-out", self.file, "-days", "2", "-subj", "/CN=lab authority")

    def issue(self, *names: str, days: int = 2, self_signed: bool = False) -> Path:
        """A certificate with its key, for DNS names or IP addresses; expired with negative `days`."""
        self._count += 1
        request, made = (self._directory / f"{self._count}.{kind}" for kind in ("csr", "pem"))
        key = made.with_suffix(".key")
        san = ",".join(("IP:" if _is_address(n) else "DNS:") + n for n in names)
        _openssl("req", *_EC, "-keyout", key, "-out", request, "-subj", "/CN=a server", "-addext", f"subjectAltName={san}")
        by = ["-signkey", key] if self_signed else ["-CA", self.file, "-CAkey", self._key]
        _openssl("x509", "-req", "-in", request, *by, "-copy_extensions", "copy", "-days", str(days), "-out", made)
        made.write_bytes(made.read_bytes() + key.read_bytes())
        return made


def pin_of(certificate: Path) -> str:
    """What --pin takes (RFC 7858 section 4.2)."""
    public = _openssl("x509", "-in", certificate, "-noout", "-pubkey")
    der = base64.b64decode("".join(line for line in public.splitlines() if not line.startswith("-")))
    return "sha256-" + base64.b64encode(hashlib.sha256(der).digest()).decode()


@dataclass
class Site:
    """What an address does."""

    certificate: Path | None = None   # None: accepts, and says nothing
    alpn: list[str] = field(default_factory=list)


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
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(site.certificate)
            if site.alpn:
                context.set_alpn_protocols(site.alpn)
            with context.wrap_socket(connection, server_side=True) as stream:
                self.finished.append(address)
                self.heard.append(stream.recv(100))
                stream.sendall(self._says)
        except OSError:
            pass  # refused by the client, as some tests want

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            connection.close()


def _is_address(name: str) -> bool:
    return name.replace(".", "").isdigit()


def _openssl(*arguments) -> str:
    run = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise RuntimeError(f"openssl {arguments[0]}: {run.stderr}")
    return run.stdout
