"""Certificates of the tests' own, made by the openssl command."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import ssl
import subprocess
from pathlib import Path

_EC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]


class Authority:
    """A certificate authority."""

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


def server_context(certificate: Path, alpn: list[str] | None = None) -> ssl.SSLContext:
    """What a server of the tests needs. Sessions made with one context are resumed by all servers that have it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    if alpn:
        context.set_alpn_protocols(alpn)
    return context


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _openssl(*arguments) -> str:
    run = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise RuntimeError(f"openssl {arguments[0]}: {run.stderr}")
    return run.stdout
