"""Estimates and intervals from one value per process or per round. Pure: numbers in, numbers out.

Values are logs of times or of ratios inside a round, so that a ratio and its inverse are treated alike.
The interval is the one of the Wilcoxon signed-rank test: under coin-flip order inside rounds it keeps its
level whatever drift or bursts do. Below 6 values no such interval exists at 95%; a t interval stands in
and is marked provisional.
"""

from __future__ import annotations

import math
import sys
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import cache
from itertools import accumulate, combinations_with_replacement, count
from statistics import NormalDist, fmean, median
from typing import Literal

import msgspec

from profiler.analyse.distributions import binomial_at_most, t_quantile

CHECKPOINTS = (8, 12, 20, 30)
"""Numbers of rounds at which a run may be looked at and stopped."""

FEWEST_FOR_SIGNED_RANK = 6
LARGEST_EXACT = 60

_LOOK_LEVELS = {1: 0.95, 2: 0.971, 3: 0.978, 4: 0.982}
LOOKS = tuple(_LOOK_LEVELS)
"""How many looks at a run a level is known for."""


class Interval(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A confidence interval, in the unit of the values it was made from.

    `level` is the level asked for; ranks are discrete, so a signed-rank interval holds at least that.
    `provisional` means too few values for the signed-rank interval: shown, but no ground for a verdict.
    """

    centre: float
    low: float
    high: float
    level: float
    method: Literal["signed-rank", "paired-t", "welch"]
    provisional: bool


def hodges_lehmann(values: Sequence[float]) -> float:
    """The median of all averages (x_i + x_j) / 2 with i <= j (Hodges and Lehmann 1963).

    Time and memory grow with the square of the number of values. Raises ValueError for no values or for
    one that is not finite.
    """
    _check_finite(values)
    return median(walsh_averages(values))


def signed_rank_interval(values: Sequence[float], level: float) -> Interval | None:
    """The interval [W(k), W(M + 1 - k)] of the M = n(n+1)/2 sorted averages W, around their median.

    k is the largest rank whose level, under the null distribution of the signed-rank statistic, is at least
    `level`. None when even k = 1 falls short: n values reach 1 - 2^(1-n) at best.
    """
    _check_finite(values)
    k = signed_rank_k(len(values), level)
    if k < 1:
        return None
    averages = walsh_averages(values)
    return Interval(
        centre=median(averages),
        low=averages[k - 1],
        high=averages[-k],
        level=level,
        method="signed-rank",
        provisional=False,
    )


def t_interval(values: Sequence[float], level: float) -> Interval | None:
    """Student's t interval of the mean, always provisional here; None below 2 values.

    On differences formed inside rounds this is the paired t interval.
    """
    _check_finite(values)
    _check_level(level)
    n = len(values)
    if n < 2:
        return None
    centre = fmean(values)
    half_width = t_quantile(n - 1, level) * math.sqrt(variance(values, centre) / n)
    return Interval(
        centre=centre,
        low=centre - half_width,
        high=centre + half_width,
        level=level,
        method="paired-t",
        provisional=True,
    )


def welch_interval(base: Sequence[float], candidate: Sequence[float], level: float) -> Interval | None:
    """Welch's t interval of mean(candidate) - mean(base): two independent sets, each with its own spread.

    Provisional while a set has fewer than 6 values; None while one has fewer than 2.
    """
    _check_finite([*base, *candidate])
    _check_level(level)
    fewest = min(len(base), len(candidate))
    if fewest < 2:
        return None
    parts = [(variance(values) / len(values), len(values) - 1) for values in (base, candidate)]
    squared = sum(part for part, _ in parts)
    scale = sum(part**2 / degrees for part, degrees in parts)
    centre = fmean(candidate) - fmean(base)
    half_width = t_quantile(squared**2 / scale, level) * math.sqrt(squared) if scale else 0.0
    return Interval(
        centre=centre,
        low=centre - half_width,
        high=centre + half_width,
        level=level,
        method="welch",
        provisional=fewest < FEWEST_FOR_SIGNED_RANK,
    )


def variance(values: Sequence[float], mean: float | None = None) -> float:
    """The sample variance of at least two values; 0 of equal ones, however their mean is rounded."""
    if min(values) == max(values):
        return 0.0
    centre = fmean(values) if mean is None else mean
    return math.fsum((value - centre) ** 2 for value in values) / (len(values) - 1)


def interval(values: Sequence[float], level: float) -> Interval | None:
    """The signed-rank interval from 6 values on where they reach `level`, else a provisional t interval.

    None below 2 values: one value has no spread.
    """
    if len(values) >= FEWEST_FOR_SIGNED_RANK:
        found = signed_rank_interval(values, level)
        if found is not None:
            return found
    return t_interval(values, level)


def resolution(values: Sequence[float], level: float) -> float | None:
    """Half the width of the interval of log ratios, as a ratio: at 0.038, less than 3.8% does not show.

    None where there is no interval, or where its width is beyond what a ratio can hold.
    """
    found = interval(values, level)
    if found is None:
        return None
    half_width = (found.high - found.low) / 2
    return math.expm1(half_width) if half_width < math.log(sys.float_info.max) else None


def look_level(looks: int) -> float:
    """The level of every interval of a run that is judged at up to `looks` checkpoints.

    From simulations of the looks 8, 12, 20, 30 and their shorter forms: all intervals of a run then hold at
    once in about 95% of runs. Raises ValueError outside 1 to 4, which were not simulated.
    """
    if looks not in _LOOK_LEVELS:
        raise ValueError(f"no level is known for {looks} looks, only for 1 to {len(_LOOK_LEVELS)}")
    return _LOOK_LEVELS[looks]


def corrected_level(level: float, comparisons: int) -> float:
    """The level each of `comparisons` intervals needs so that all hold at once at `level` (Bonferroni)."""
    if comparisons < 1:
        raise ValueError(f"{comparisons} comparisons cannot be corrected for, at least 1 is needed")
    return 1 - (1 - level) / comparisons


def fewest_for_verdict(level: float) -> int:
    """How many values the signed-rank interval needs to reach `level`: 6 at 0.95, 7 at 0.982."""
    return next(n for n in count(FEWEST_FOR_SIGNED_RANK) if signed_rank_k(n, level) >= 1)


def percentile_allowed(n: int, p: int) -> bool:
    """Whether n values carry the p-th percentile, p in 1..99: at least one value is expected beyond it.

    p90 needs 10 values, p95 20, p99 100.
    """
    return n * min(p, 100 - p) >= 100


def order_statistic_bound(values: Sequence[float], p: int, level: float = 0.95) -> float | None:
    """The upper end of the equal-tailed interval of the p-th percentile, p in 1..99, free of a distribution.

    It is the smallest order statistic that lies above the percentile with probability (1 + level) / 2, from
    the binomial distribution. None means open above: no value is high enough. At 95%, p90 is closed from 36
    values on, p95 from 72, p99 from 368. Values must be independent.
    """
    _check_finite(values)
    _check_level(level)
    rank = bound_rank(len(values), p, level)
    return sorted(values)[rank - 1] if rank <= len(values) else None


@cache
def bound_rank(n: int, p: int, level: float = 0.95) -> int:
    """Where that upper end stands among n sorted values, counted from 1; n + 1 where it is open above."""
    return bisect_left(range(n), (1 + level) / 2, key=lambda below: binomial_at_most(below, n, p / 100)) + 1


def signed_rank_k(n: int, level: float) -> int:
    """The largest k for which [W(k), W(M + 1 - k)] of n values holds at least `level`; below 1 if none does.

    Exact to 60 values, then from the normal approximation: on the wide side for levels from 0.88 on.
    """
    _check_level(level)
    tail = (1 - level) / 2
    if n <= LARGEST_EXACT:
        return bisect_right(_signed_rank_cumulative(n), tail * 2**n)
    sd = math.sqrt(n * (n + 1) * (2 * n + 1) / 24)
    return math.floor(n * (n + 1) / 4 + NormalDist().inv_cdf(tail) * sd)


@cache
def _signed_rank_cumulative(n: int) -> tuple[int, ...]:
    """How many of the 2^n sets of signs give a sum of positive ranks of at most 0, 1, ..., n(n+1)/2."""
    counts = [1]
    for rank in range(1, n + 1):
        without = counts + [0] * rank
        with_rank = [0] * rank + counts
        counts = [a + b for a, b in zip(without, with_rank, strict=True)]
    return tuple(accumulate(counts))


def walsh_averages(values: Sequence[float]) -> list[float]:
    """All averages (x_i + x_j) / 2 with i <= j, sorted: n(n+1)/2 of them."""
    return sorted((x + y) / 2 for x, y in combinations_with_replacement(values, 2))


def _check_finite(values: Sequence[float]) -> None:
    if not all(map(math.isfinite, values)):
        raise ValueError("a value is not finite")


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise ValueError(f"level {level} is not between 0 and 1")
