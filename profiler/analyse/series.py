"""What charts show beyond the figures of a report: speed by depth, single gaps, and when which pass ran."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

import msgspec

from profiler.analyse import stalls
from profiler.analyse.gaps import FEWEST_FOR_TENTHS, gaps_ns
from profiler.analyse.metrics import NS_PER_MS, NS_PER_S
from profiler.analyse.percentiles import rank
from profiler.analyse.samples import Samples
from profiler.runfile import Case, Pass, Workload

BINS = 12
"""Stretches that an answer is cut into: wide enough for a median, narrow enough for a curve."""

MOST_PASSES = 300
"""Passes of a case that a curve rests on; of more, as many are taken evenly."""

LOW, HIGH = 10, 90
"""Percentiles of gaps between which most of them lie."""


class AtDepth(msgspec.Struct, frozen=True, kw_only=True):
    """Decode speed in tok/s at a depth in tokens (prompt and answer so far): the median over rounds of each
    round's median gap there."""

    depth: float
    tps: float


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """Gaps in ms of one stretch of the answer, over all counted passes: those of tokens `first` to `last`."""

    first: int
    last: int
    low_ms: float
    high_ms: float


class Stalled(msgspec.Struct, frozen=True, kw_only=True):
    """A gap that was a stall, by the token that ended it, and the pass it was in."""

    token: int
    gap_ms: float
    round: int
    number: int


class GapCourse(msgspec.Struct, frozen=True, kw_only=True):
    """Gaps of one case by position. `typical_ms` are those of the pass whose median gap is in the middle of all.

    `passes` are those that this and the stretches rest on; stalls are of all counted passes.
    """

    typical_ms: list[float]
    round: int
    number: int
    stretches: list[Stretch]
    stalls: list[Stalled]
    passes: int


def by_depth(case: Case, found: Samples) -> list[AtDepth]:
    """Decode speed along the answer, in stretches of equal length; empty below ten gaps."""
    of_rounds = {number: [gaps_ns(done) for done in passes] for number, passes in _few(found).items()}
    length = max((len(gaps) for several in of_rounds.values() for gaps in several), default=0)
    if length < FEWEST_FOR_TENTHS or case.workload.method != "text":
        return []
    points = []
    for start, end in _stretches(length):
        medians = [_median_gap(several, start, end) for several in of_rounds.values()]
        known = [gap for gap in medians if gap]
        if known:
            depth = case.workload.prompt_tokens + (start + end + 1) / 2
            points.append(AtDepth(depth=depth, tps=NS_PER_S / median(known)))
    return points


def middle_depth(workload: Workload) -> float:
    """The depth at the middle of what a workload of llama-bench's method generates."""
    return workload.depth + workload.output_tokens / 2


def gap_course(found: Samples) -> GapCourse | None:
    """Typical pass, usual range and stalls of a case; None below ten gaps."""
    every = [(number, done) for number, passes in _few(found).items() for done in passes]
    long_enough = [(n, done) for n, done in every if len(done.token_ns) > FEWEST_FOR_TENTHS]
    if not long_enough:
        return None
    ordered = sorted(long_enough, key=lambda one: median(gaps_ns(one[1])))
    number, typical = ordered[(len(ordered) - 1) // 2]
    between = [gaps_ns(done) for _, done in long_enough]
    return GapCourse(
        typical_ms=[gap / NS_PER_MS for gap in gaps_ns(typical)],
        round=number,
        number=typical.number,
        stretches=[_stretch(between, start, end) for start, end in _stretches(max(map(len, between)))],
        stalls=[one for n, passes in found.passes.items() for done in passes for one in _stalls(n, done)],
        passes=len(long_enough),
    )


def _few(found: Samples) -> dict[int, list[Pass]]:
    """The counted passes by round, and where there are very many every so-manieth of each round."""
    step = -(-sum(map(len, found.passes.values())) // MOST_PASSES)
    return {number: passes[:: max(1, step)] for number, passes in found.passes.items()}


def _stretches(length: int) -> list[tuple[int, int]]:
    """First gap of each stretch and the one after its last, counted from 0."""
    count = min(BINS, length // 2)
    edges = [length * n // count for n in range(count + 1)]
    return list(pairwise(edges))


def _median_gap(several: Sequence[Sequence[int]], start: int, end: int) -> float | None:
    pooled = [gap for gaps in several for gap in gaps[start:end]]
    return median(pooled) if pooled else None


def _stretch(between: Sequence[Sequence[int]], start: int, end: int) -> Stretch:
    pooled = sorted(gap for gaps in between for gap in gaps[start:end])
    low, high = (pooled[rank(len(pooled), p) - 1] / NS_PER_MS for p in (LOW, HIGH))
    return Stretch(first=start + 2, last=end + 1, low_ms=low, high_ms=high)


def _stalls(round_number: int, done: Pass) -> list[Stalled]:
    gaps = gaps_ns(done)
    return [
        Stalled(token=token, gap_ms=gap / NS_PER_MS, round=round_number, number=done.number)
        for token, gap in stalls.of_pass(gaps).items()
    ]
