"""How far chance alone may carry a count, so that a false alarm is as rare as wanted."""

from __future__ import annotations

import math


def binomial_bounds(count: int, probability: float, alarm: float = 1e-6) -> tuple[int, int]:
    """The least and the most successes in `count` tries that are not rarer, on either side, than half of `alarm`."""
    def log_mass(k: int) -> float:
        return (math.lgamma(count + 1) - math.lgamma(k + 1) - math.lgamma(count - k + 1)
                + k * math.log(probability) + (count - k) * math.log1p(-probability))

    def first(numbers: range) -> int:
        tail = 0.0
        for k in numbers:
            tail += math.exp(log_mass(k))
            if tail >= alarm / 2:
                return k
        raise AssertionError("not reached: the masses add up to one")

    return first(range(count + 1)), first(range(count, -1, -1))
