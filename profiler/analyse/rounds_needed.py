"""How many rounds a fresh run would need where a comparison is undecided. Pure: numbers in, numbers out.

A fresh run with `--processes N` is looked at once. The half-width that its signed-rank interval will have
follows from the spread s of one round's log ratio: the n(n+1)/2 averages of pairs are spread by s / sqrt(2),
and the interval ends at their k-th smallest and largest, so it is s * q / sqrt(2) with q the normal quantile
of 1 - k / (n(n+1)/2 + 1). That shrinks as 1 / sqrt(n), and holds for few rounds too, where ranks are coarse.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from functools import cache
from statistics import NormalDist

import msgspec

from profiler.analyse.distributions import t_quantile
from profiler.analyse.statistics import Interval, fewest_for_verdict, signed_rank_k
from profiler.analyse.verdict import SAME_ZONE
from profiler.runfile import MOST_ROUNDS

CHANCE = 0.8
"""How likely a run of the advised rounds decides, if the difference is what it now seems."""

SMALLEST_SPREAD = 1e-12
"""Rounds that differ by less differ by rounding alone."""

_NORMAL = NormalDist()
_STANDARD_ERROR = math.sqrt(math.pi / 3)
"""Of the Hodges-Lehmann estimate of normal values, times the square root of their number over their spread."""


class Need(msgspec.Struct, frozen=True, kw_only=True):
    """The rounds of a fresh run, or why no number of them is advised."""

    rounds: int | None = None
    reason: str | None = None


def spread(bounds: Interval, rounds: int) -> float:
    """The standard deviation of one round's log ratio, from an interval over `rounds` of them."""
    half_width = (bounds.high - bounds.low) / 2
    if bounds.method == "signed-rank":
        return half_width / _half_width(rounds, bounds.level)
    return half_width * math.sqrt(rounds) / t_quantile(rounds - 1, bounds.level)


def rounds_needed(difference: float, spread: float, level: float, same_zone: float = SAME_ZONE) -> Need:
    """The rounds at which a difference of logs is decided with 80% chance by one look at `level`.

    Decided is: shown not to be 0, or shown to be the same within `same_zone`. Past `MOST_ROUNDS` the reason says
    what those could show.
    """

    def chance(rounds: int) -> float:
        return _chance(rounds, difference, spread, level, math.log1p(same_zone))

    if chance(MOST_ROUNDS) < CHANCE:
        return Need(reason=_beyond_reach(spread, level))
    possible = range(fewest_for_verdict(level), MOST_ROUNDS + 1)
    return Need(rounds=possible[bisect_left(possible, CHANCE, key=chance)])


def _beyond_reach(spread: float, level: float) -> str:
    error = spread * _STANDARD_ERROR / math.sqrt(MOST_ROUNDS)
    shown = spread * _half_width(MOST_ROUNDS, level) + _NORMAL.inv_cdf(CHANCE) * error
    share = f"{100 * math.expm1(shown):.2g}%" if shown < math.log(10) else "a factor of ten"
    return f"no run of up to {MOST_ROUNDS} rounds would decide it; {MOST_ROUNDS} rounds could show {share}"


def _chance(rounds: int, difference: float, spread: float, level: float, zone: float) -> float:
    """How likely an interval over so many rounds excludes 0, or lies within the same-zone."""
    if spread < SMALLEST_SPREAD:
        return 1.0
    half_width = spread * _half_width(rounds, level)
    same_below = max(0.0, zone - half_width)
    if same_below >= half_width:
        return 1.0
    estimate = NormalDist(abs(difference), spread * _STANDARD_ERROR / math.sqrt(rounds))
    return 1 - (_within(estimate, half_width) - _within(estimate, same_below))


def _within(estimate: NormalDist, bound: float) -> float:
    return estimate.cdf(bound) - estimate.cdf(-bound)


@cache
def _half_width(rounds: int, level: float) -> float:
    """Of the signed-rank interval over normal values of spread 1; endless where the rounds do not reach the level."""
    k = signed_rank_k(rounds, level)
    if k < 1:
        return math.inf
    averages = rounds * (rounds + 1) // 2
    return _NORMAL.inv_cdf(1 - k / (averages + 1)) / math.sqrt(2)
