"""Time limits on machines that others use too, and what other programs need for the same."""

from __future__ import annotations

import time
from typing import Callable

from client import Run

CAD, RD = 250.0, 50.0     # Connection Attempt Delay and Resolution Delay, milliseconds (RFC 8305 section 8)
#: What a busy machine with two cores may add to a time. Small against CAD: a wrong schedule is off by that, or by RD.
SLACK = 40.0


def timed(action: Callable[[], Run], low: float, high: float, tries: int = 10) -> Run:
    """Noise only ever makes things later. So a lower bound must hold in every try, and an upper bound (plus SLACK)
    must be kept by one of ten tries. Gives the run that kept it."""
    took = []
    for _ in range(tries):
        run = action()
        took.append(run.took_ms)
        assert run.took_ms >= low, f"took {run.took_ms:.1f} ms, expected at least {low:.0f}\n{run}"
        if run.took_ms <= high + SLACK:
            return run
    raise AssertionError(f"took {took} ms in {tries} tries, expected at most {high:.0f} + {SLACK:.0f}\n{run}")


def compare(lab, command: list[str], limit: float, request) -> str:
    """How another program fares in the same place: printed and recorded, never judged."""
    before = time.monotonic()
    done = lab.run("client", ["timeout", str(limit), *command], timeout=limit + 5)
    took = (time.monotonic() - before) * 1000
    shown = f"`{' '.join(command)}`: exit code {done.returncode} after {took:.0f} ms"
    print(shown)
    request.node.user_properties.append(("compared", shown))
    return shown
