"""From one log for each process or pair to the centre and the interval, step by step."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from profiler.analyse.estimate import PROMISED_LEVEL
from profiler.analyse.statistics import interval, signed_rank_k, walsh_averages


class IntervalSteps(msgspec.Struct, frozen=True, kw_only=True):
    """All on the log scale.

    `averages` are the n(n+1)/2 Walsh averages, sorted; their median is the centre, the `k`-th from below and from
    above are the bounds. A provisional interval is Student's t: its `k` is None and its centre the mean. `level` is
    that of this one interval, higher than `promised` because of so many `looks` and `comparisons`.
    """

    n: int
    method: str
    level: float
    promised: float
    looks: int
    comparisons: int
    k: int | None
    averages: list[float]
    centre: float
    low: float
    high: float


def interval_steps(
    logs: Sequence[float], level: float, looks: int, comparisons: int = 1
) -> IntervalSteps | None:
    """The steps of `statistics.interval`; None where it gives none. `level` is already corrected."""
    bounds = interval(logs, level)
    if bounds is None:
        return None
    return IntervalSteps(
        n=len(logs),
        method=bounds.method,
        level=level,
        promised=PROMISED_LEVEL,
        looks=looks,
        comparisons=comparisons,
        k=signed_rank_k(len(logs), level) if bounds.method == "signed-rank" else None,
        averages=walsh_averages(logs),
        centre=bounds.centre,
        low=bounds.low,
        high=bounds.high,
    )
