"""Where the spread of a case comes from: passes of one process, or processes. It says which of them to have more of."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import fmean, median

import msgspec

from profiler.analyse.statistics import variance
from profiler.runfile import Worker, start_in_passes

FEWEST_PASSES, MOST_PASSES = 1, 8
"""Longer processes than 8 passes drift apart from their partners in a round (noise study, section 7)."""


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """Standard deviations of the log of one figure, as shares: 0.03 is 3%.

    `within` is that of passes of one process, `between` what processes differ by beyond that (0 where passes explain
    it all): over seconds to minutes it is mostly the machine's drift. `passes` would serve best by Kalibera and Jones.
    """

    within: float
    between: float
    passes: int


def start_cost(workers: Iterable[Worker]) -> float:
    """What a worker costs beside its counted passes, in passes: the median over workers, 0 without any."""
    costs = [cost for cost in map(start_in_passes, workers) if cost is not None]
    return max(0.0, median(costs)) if costs else 0.0


def spread(processes: Iterable[Sequence[float]], start_cost: float) -> Spread | None:
    """The variance components of logs, one sequence of passes for each process; None where they cannot be told.

    Within: pooled over processes. Between: variance of the processes' means less within / passes, at least 0.
    Passes: sqrt(start cost / pass cost x within / between), both as variances; `start_cost` is the ratio of the
    costs (see `start_cost`).
    """
    several = [values for values in processes if len(values) > 1]
    if len(several) < 2:
        return None
    freedom = sum(len(values) - 1 for values in several)
    within = sum((len(values) - 1) * variance(values) for values in several) / freedom
    passes = fmean(map(len, several))
    between = max(0.0, variance([fmean(values) for values in several]) - within / passes)
    return Spread(
        within=math.sqrt(within),
        between=math.sqrt(between),
        passes=_best(within, between, start_cost),
    )


def _best(within: float, between: float, start_cost: float) -> int:
    if between <= 0:
        return MOST_PASSES if within > 0 else FEWEST_PASSES
    return min(MOST_PASSES, max(FEWEST_PASSES, round(math.sqrt(start_cost * within / between))))
