"""What an adapter says where its library is missing."""

from __future__ import annotations


def missing(adapter: str, library: str, at_least: str) -> ImportError:
    """For example missing("lbresolve.contrib.httpx", "httpx", "0.27")."""
    told = f"{adapter} needs {library} {at_least} or newer: pip install '{library}>={at_least}'"
    return ImportError(told, name=library)
