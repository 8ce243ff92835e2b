"""lbresolve inside other libraries: `aiohttp`, `httpx`, `requests`, `urllib3`, and the standard library's sockets.

Each is a module of its own, which needs its library: `from lbresolve.contrib.httpx import HTTPTransport`.
"""

from ._patch import patch_socket

__all__ = ["patch_socket"]
