"""Types: of the package, and as a program sees them."""

import ast
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import lbresolve
from lbresolve import _native

BUILD = Path(os.environ["LBRESOLVE_BUILD_DIR"])
SOURCE = Path(os.environ["LBRESOLVE_SOURCE_DIR"])

CONSUMER = """
import asyncio
import socket
from typing import List, Optional

import aiohttp
import httpx
import lbresolve
import lbresolve.contrib.aiohttp
import lbresolve.contrib.httpx
import lbresolve.contrib.requests
import lbresolve.contrib.urllib3
import requests
from lbresolve import Connection, ConnectError, Endpoint, Resolution, Resolver, aio


def fetch(host: str) -> bytes:
    with lbresolve.create_connection((host, 80), timeout=5.0) as made:
        plain: socket.socket = made
        return plain.recv(1)


def look(resolver: Resolver) -> List[str]:
    found: Resolution = resolver.resolve("api.example.com", families="ipv4")
    picked: Endpoint = resolver.pick(("api.example.com", 443))
    resolver.report(picked, True, latency=0.01)
    port: Optional[int] = picked.port
    try:
        made: Connection = resolver.connect("api.example.com:443", policy="fastest")
    except ConnectError as e:
        return [a.error.message for a in e.attempts if a.error is not None]
    return [str(e) for e in found.endpoints] + [str(port), made.trace.began.isoformat()]


async def go() -> bytes:
    reader, writer = await aio.open_connection("api.example.com", 443, ssl=True)
    writer.write(b"x")
    made = await lbresolve.aio.connect("api.example.com:443")
    made.close()
    return await reader.read()


asyncio.run(go())


async def plug_in(resolver: Resolver) -> None:
    connector: aiohttp.BaseConnector = lbresolve.contrib.aiohttp.TCPConnector(resolver=resolver, limit=5)
    httpx.AsyncClient(transport=lbresolve.contrib.httpx.AsyncHTTPTransport(resolver=resolver, http1=True))
    httpx.Client(transport=lbresolve.contrib.httpx.HTTPTransport())
    requests.Session().mount("https://", lbresolve.contrib.requests.HTTPAdapter(resolver=resolver, max_retries=2))
    lbresolve.contrib.urllib3.PoolManager(num_pools=2).request("GET", "https://www.example.com")
    with lbresolve.contrib.patch_socket(resolver):
        await connector.close()


# Each of these is an error, or strict mypy would call the comment unused.
Resolver(policy="best")  # type: ignore[arg-type]
Resolver().resolve(3)  # type: ignore[arg-type]
Resolver().pick("x:1").prot  # type: ignore[attr-defined]
lbresolve.resolve("x", time=1)  # type: ignore[call-arg]
lbresolve.create_connection("x")  # type: ignore[arg-type]
"""


def test_the_package_and_a_program_that_uses_it_are_strictly_typed(tmp_path):
    (tmp_path / "consumer.py").write_text(textwrap.dedent(CONSUMER))
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", f"--cache-dir={BUILD / 'python' / 'mypy'}", "-p", "lbresolve", "-m",
         "consumer"], env={**os.environ, "MYPYPATH": f"{tmp_path}:{SOURCE / 'bindings' / 'python'}"}, cwd=tmp_path,
        capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_stubs_name_what_is_there():
    package = Path(lbresolve.__file__).parent
    assert (package / "py.typed").exists()
    tree = ast.parse((package / "_native.pyi").read_text())
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    assert set(classes) == {name for name in dir(_native) if isinstance(getattr(_native, name), type)}
    for name, node in classes.items():
        stub = {part.name for part in node.body if isinstance(part, ast.FunctionDef)} - {"__init__"}
        assert stub == {part for part in dir(getattr(_native, name)) if not part.startswith("_")}
