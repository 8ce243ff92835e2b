"""The calls most programs need, on the resolver with default settings."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Callable, Optional, TypeVar

from ._resolver import Resolver

if TYPE_CHECKING:
    from typing_extensions import Concatenate, ParamSpec

    _P = ParamSpec("_P")

_R = TypeVar("_R")

_resolver: Optional[Resolver] = None


def _shared() -> Resolver:
    global _resolver
    if _resolver is None:
        _resolver = Resolver()
    return _resolver


def _of_the_shared(method: Callable[Concatenate[Resolver, _P], _R]) -> Callable[_P, _R]:
    """The method, as a function that takes the same arguments."""

    @functools.wraps(method)
    def call(*arguments: _P.args, **settings: _P.kwargs) -> _R:
        return method(_shared(), *arguments, **settings)

    call.__qualname__ = method.__name__
    return call


create_connection = _of_the_shared(Resolver.create_connection)
resolve = _of_the_shared(Resolver.resolve)
connect = _of_the_shared(Resolver.connect)
pick = _of_the_shared(Resolver.pick)
begin = _of_the_shared(Resolver.begin)
report = _of_the_shared(Resolver.report)
explain = _of_the_shared(Resolver.explain)
probe = _of_the_shared(Resolver.probe)
health = _of_the_shared(Resolver.health)
