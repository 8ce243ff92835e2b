"""Fetches a page again and again through one of lbresolve.contrib's adapters, each time over a new connection.

    adapter_client.py LIBRARY URL COUNT CA_FILE [PAUSE]

Prints one JSON object a request: how long it took, and what went wrong, or null. Runs in the client's namespace, with
the Python that lbresolve is installed for.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import time
import urllib.request
from typing import Awaitable, Callable


def told(began: float, error: str | None) -> None:
    print(json.dumps({"ms": (time.monotonic() - began) * 1000, "error": error}), flush=True)


class Plan:
    def __init__(self, url: str, count: str, ca_file: str, pause: str = "0") -> None:
        self.url, self.ca_file = url, ca_file
        self.context = ssl.create_default_context(cafile=ca_file)
        self._count, self._pause = int(count), float(pause)

    def run(self, fetch: Callable[[], object]) -> None:
        for _ in range(self._count):
            began, error = time.monotonic(), None
            try:
                fetch()
            except Exception as failure:
                error = repr(failure)
            told(began, error)
            time.sleep(self._pause)

    async def run_async(self, fetch: Callable[[], Awaitable[object]]) -> None:
        for _ in range(self._count):
            began, error = time.monotonic(), None
            try:
                await fetch()
            except Exception as failure:
                error = repr(failure)
            told(began, error)
            await asyncio.sleep(self._pause)


async def with_aiohttp(plan: Plan) -> None:
    import aiohttp
    from lbresolve.contrib.aiohttp import TCPConnector

    async with aiohttp.ClientSession(connector=TCPConnector(ssl=plan.context, force_close=True)) as session:
        async def fetch() -> None:
            async with session.get(plan.url) as response:
                response.raise_for_status()
                await response.read()

        await plan.run_async(fetch)


def with_httpx(plan: Plan) -> None:
    import httpx
    from lbresolve.contrib.httpx import HTTPTransport

    no_reuse = httpx.Limits(max_keepalive_connections=0)
    with httpx.Client(transport=HTTPTransport(verify=plan.context, limits=no_reuse)) as client:
        plan.run(lambda: client.get(plan.url).raise_for_status())


async def with_httpx_async(plan: Plan) -> None:
    import httpx
    from lbresolve.contrib.httpx import AsyncHTTPTransport

    no_reuse = httpx.Limits(max_keepalive_connections=0)
    async with httpx.AsyncClient(transport=AsyncHTTPTransport(verify=plan.context, limits=no_reuse)) as client:
        async def fetch() -> None:
            (await client.get(plan.url)).raise_for_status()

        await plan.run_async(fetch)


def with_requests(plan: Plan) -> None:
    import requests
    from lbresolve.contrib.requests import HTTPAdapter

    with requests.Session() as session:
        session.mount("https://", HTTPAdapter())
        session.headers["Connection"] = "close"
        plan.run(lambda: session.get(plan.url, verify=plan.ca_file).raise_for_status())


def with_urllib3(plan: Plan) -> None:
    from lbresolve.contrib.urllib3 import PoolManager

    pool = PoolManager(ca_certs=plan.ca_file, headers={"Connection": "close"}, retries=False)
    plan.run(lambda: pool.request("GET", plan.url))


def with_patched_sockets(plan: Plan) -> None:
    from lbresolve.contrib import patch_socket

    def fetch() -> None:
        with urllib.request.urlopen(plan.url, context=plan.context) as response:
            response.read()

    with patch_socket():
        plan.run(fetch)


LIBRARIES = {"aiohttp": with_aiohttp, "httpx": with_httpx, "httpx-async": with_httpx_async, "requests": with_requests,
             "urllib3": with_urllib3, "patch_socket": with_patched_sockets}


def main() -> None:
    library, *arguments = sys.argv[1:]
    running = LIBRARIES[library](Plan(*arguments))
    if running is not None:
        asyncio.run(running)


if __name__ == "__main__":
    main()
