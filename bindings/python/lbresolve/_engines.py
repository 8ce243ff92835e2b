"""The native resolvers of this process: one for each set of settings, made when it is first needed."""

from __future__ import annotations

import atexit
import threading
import weakref
from typing import Any, Dict, Hashable, Optional, Tuple

from ._native import Engine
from ._types import Endpoint

_lock = threading.Lock()
_default: Optional[Engine] = None
_others: weakref.WeakValueDictionary[Hashable, Engine] = weakref.WeakValueDictionary()


def engine_for(settings: Dict[str, Any]) -> Engine:
    """The one with these settings. That of the defaults stays; another lives as long as somebody uses it."""
    global _default
    key = _key(settings)
    with _lock:
        engine = _others.get(key) if settings else _default
        if engine is None:
            engine = Engine(settings, Endpoint)
            if settings:
                _others[key] = engine
            else:
                _default = engine
    return engine


def _key(settings: Dict[str, Any]) -> Tuple[Any, ...]:
    return tuple(sorted((name, _frozen(value)) for name, value in settings.items()))


def _frozen(value: Any) -> Hashable:
    if isinstance(value, dict):
        return tuple((k, _frozen(v)) for k, v in value.items())
    return tuple(value) if isinstance(value, list) else value


@atexit.register
def _close_all() -> None:
    """What was learned is written to its file, and no thread is left, before the interpreter goes."""
    with _lock:
        engines = [*_others.values(), *([_default] if _default is not None else [])]
    for engine in engines:
        engine.close()
