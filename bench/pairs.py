"""Interleaved pairs: two things timed alternately, and the interval of their ratio."""

from __future__ import annotations

import math
import os
import random
import resource
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

import msgspec

from profiler.analyse.statistics import interval
from profiler.host.counters import cpu_times, foreign_share, wait_until_quiet

T = TypeVar("T")

MOST_FOREIGN = 0.05
MOST_REPEATS = 30


class Ratio(msgspec.Struct, frozen=True, kw_only=True):
    """A ratio with its 95% interval (Hodges-Lehmann, signed-rank) over rounds."""

    value: float
    low: float
    high: float
    rounds: int

    def __str__(self) -> str:
        return f"{self.value:.4f} ({self.low:.4f} to {self.high:.4f}, {self.rounds} rounds)"

    @property
    def half_width(self) -> float:
        """Half the width of the interval."""
        return (self.high - self.low) / 2


def ratio(logs: list[float]) -> Ratio:
    """The ratio behind logs of ratios, one for each round."""
    bounds = interval(logs, 0.95)
    assert bounds is not None
    return Ratio(
        value=math.exp(bounds.centre), low=math.exp(bounds.low), high=math.exp(bounds.high), rounds=len(logs)
    )


def undisturbed_round(contestants: Mapping[str, Callable[[], T]], draw: random.Random) -> dict[str, T]:
    """Each contestant once, in an order drawn anew; again as a whole while other processes interfered."""
    names = list(contestants)
    for _ in range(MOST_REPEATS):
        draw.shuffle(names)
        found: dict[str, T] = {}
        wait_until_quiet()
        for name in names:
            value, share = watched(contestants[name])
            if share is not None and share > MOST_FOREIGN:
                break
            found[name] = value
        else:
            return found
    raise SystemExit(f"other processes disturbed {MOST_REPEATS} rounds in a row: try on a quieter machine")


def watched(action: Callable[[], T]) -> tuple[T, float | None]:
    """What `action` returns, and the share of all cores that other processes used meanwhile."""
    before, own, began = cpu_times(), _own_cpu_s(), time.monotonic()
    value = action()
    after, wall_s = cpu_times(), time.monotonic() - began
    if before is None or after is None:
        return value, None
    return value, foreign_share(before, after, _own_cpu_s() - own, os.cpu_count() or 1, wall_s)


def _own_cpu_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)
