"""A real nginx with HTTP/2, in front of an origin that answers DNS (http_origin.py), as a cache or a CDN would be."""

from __future__ import annotations

import socket
import subprocess
import time
from pathlib import Path

from server_process import ServerProcess, Start

CONFIG = """\
daemon off;
master_process off;
worker_processes 1;
error_log stderr warn;
pid {directory}/nginx.pid;
events {{ worker_connections 256; }}
http {{
  access_log {directory}/access.log;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  {settings}
  server {{
    listen {address}:{port} ssl http2;
    ssl_certificate {certificate};
    ssl_certificate_key {certificate};
    ssl_protocols TLSv1.2 TLSv1.3;
    location / {{ proxy_pass http://{origin}; }}
    location = /old {{ add_header Age {age}; proxy_pass http://{origin}/dns-query; }}
    location = /moved {{ return 302 https://{address}/dns-query; }}
    location = /missing {{ return 404; }}
    location = /broken {{ return 500; }}
  }}
}}
"""


class NginxServer(ServerProcess):
    """Runs from construction to close()."""

    def __init__(self, origin: str, *, certificate: Path, directory: Path, address: str, port: int = 443, age: int = 0,
                 settings: str = "", start: Start = subprocess.Popen) -> None:
        """`origin`: "address:port". `age`: what the path /old says of itself. `settings`: more lines for `http`."""
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        config = directory / "nginx.conf"
        config.write_text(CONFIG.format(directory=directory, address=address, port=port, certificate=certificate,
                                        origin=origin, age=age, settings=settings), encoding="utf-8")
        super().__init__("nginx", ["-p", str(directory), "-c", str(config), "-e", "stderr"], address, port, start)

    def wait_until_ready(self, sock: socket.socket, timeout: float = 10.0) -> None:
        """It speaks no UDP; but it listens once it has written its process id."""
        end = time.monotonic() + timeout
        while not (self._directory / "nginx.pid").exists():
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended at once, with {self.process.returncode}")
            if time.monotonic() > end:
                raise TimeoutError(f"{self.name} did not listen within {timeout} s")
            time.sleep(0.02)
