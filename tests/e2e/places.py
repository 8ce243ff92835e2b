"""Where things are in the lab, for the tests of choosing and remembering."""

from backend import PORT

NAME = "www.example.test"
TARGET = f"{NAME}:{PORT}"
UNBOUND, GDNSD, PDNS, SCRIPTED = "@192.0.2.53", "@192.0.2.54", "@192.0.2.55", "@192.0.2.60"


def v4(count, first=1):
    """Backends: 203.0.113.1 and following."""
    return [f"203.0.113.{n}" for n in range(first, first + count)]


def v6(count, first=1):
    return [f"2001:db8:b::{n:x}" for n in range(first, first + count)]
