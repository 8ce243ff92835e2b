"""For requests: an adapter whose connections are made by lbresolve."""

from __future__ import annotations

from typing import Any, Dict, Optional

from .. import Resolver

from ._library import missing

try:
    import requests.adapters

    from . import urllib3 as _urllib3
except ImportError as failure:
    raise missing(__name__, "requests", "2.30") from failure

__all__ = ["HTTPAdapter"]


class HTTPAdapter(requests.adapters.HTTPAdapter):
    """requests' adapter, with connections made by lbresolve: its race, its order, its memory. Connections to HTTP
    proxies too; not to SOCKS proxies.

        session.mount("https://", HTTPAdapter())

    Args:
        resolver: whose settings, cache and memory to use; None: the default ones.
        **settings: those of `requests.adapters.HTTPAdapter`.
    """

    def __init__(self, *, resolver: Optional[Resolver] = None, **settings: Any) -> None:
        self._pool_classes = _urllib3.pool_classes(resolver)
        super().__init__(**settings)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pool_classes

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = self._pool_classes
        return manager

    def __setstate__(self, state: Dict[str, Any]) -> None:
        """Of a pickled one: it connects with the default settings."""
        self._pool_classes = _urllib3.pool_classes()
        super().__setstate__(state)
