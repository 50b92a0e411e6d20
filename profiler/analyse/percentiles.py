"""Percentiles of first tokens and of gaps, each printed only where its samples carry it.

First tokens: one value for each process, its first counted pass, so that the samples are as independent as processes
are; their percentile has an upper bound from order statistics, open above while the samples are few.

Gaps: they grow with depth, so a percentile is pooled over all positions of the answer and says so. The gaps of one
process resemble each other, so pooling those of all processes and counting each as a sample would claim far too much
(docs/method.md, "Percentiles"). Each process gives the percentile of its own gaps, and the processes are then treated
as for every other metric.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import chain
from statistics import median

from profiler.analyse.estimate import PROMISED_LEVEL, Estimate, of_rounds
from profiler.analyse.metrics import NS_PER_MS, TEXT, Metric, ttft
from profiler.analyse.samples import Samples
from profiler.analyse.statistics import order_statistic_bound, percentile_allowed
from profiler.runfile import Case

PERCENTILES = (50, 90, 95, 99)


def _first_token(p: int) -> Metric:
    return Metric(
        name=f"ttft_ms.p{p}",
        label=f"TTFT, p{p}",
        unit="ms",
        higher_is_better=False,
        methods=TEXT,
        absent="too few processes",
        formula="t1 - s",
        meaning=f"what at least {p} in 100 first tokens do not exceed: one of each process, its first counted pass",
    )


def _gap(p: int) -> Metric:
    return Metric(
        name=f"itl_ms.p{p}",
        label=f"gap, p{p}",
        unit="ms",
        higher_is_better=False,
        methods=TEXT,
        absent="too few gaps in one process",
        formula=f"percentile({p}, gaps)",
        meaning=f"what at least {p} in 100 gaps between tokens of a process do not exceed, pooled over all positions",
    )


FIRST_TOKENS = {_first_token(p): p for p in PERCENTILES}
GAPS = {_gap(p): p for p in PERCENTILES}


def percentiles(case: Case, found: Samples, level: float) -> dict[str, Estimate]:
    """Every percentile of a case by name; none of a workload without text. `level` is that of one interval."""
    if case.workload.method != "text":
        return {}
    first, gaps = sorted(first_tokens_ms(case, found).values()), gaps_of_rounds(found)
    figures = {metric.name: _of_first_tokens(first, p, found, level) for metric, p in FIRST_TOKENS.items()}
    return figures | {metric.name: _of_gaps(metric, gaps, found, level) for metric in GAPS}


def percentile(ordered: Sequence[float], p: int) -> float:
    """The smallest of sorted values that at least p in 100 do not exceed; p50 is the mean of the middle two."""
    return median(ordered) if p == 50 else ordered[rank(len(ordered), p) - 1]


def rank(n: int, p: int) -> int:
    """Where the p-th percentile stands among n sorted values, counted from 1."""
    return -(-p * n // 100)


def first_tokens_ms(case: Case, found: Samples) -> dict[int, float]:
    """For each round the time to the first token of its first counted pass."""
    firsts = {number: ttft(passes[0], case.workload) for number, passes in found.passes.items()}
    return {number: first for number, first in firsts.items() if first is not None}


def _of_first_tokens(ordered: Sequence[float], p: int, found: Samples, level: float) -> Estimate:
    n = len(ordered)
    if not percentile_allowed(n, p):
        return Estimate(
            value=None, unit="ms", reason=f"the first tokens of {n} processes do not carry a p{p}"
        )
    bound = order_statistic_bound(ordered, p, level)
    return Estimate(
        value=percentile(ordered, p),
        high=bound,
        level=None if bound is None else PROMISED_LEVEL,
        unit="ms",
        processes=n,
        passes=n,
        excluded=found.excluded,
    )


def _of_gaps(metric: Metric, gaps: Mapping[int, Sequence[int]], found: Samples, level: float) -> Estimate:
    p = GAPS[metric]
    values = gap_percentiles_ms(gaps, p)
    if values:
        logs = {number: math.log(value) for number, value in values.items() if value > 0}
        return of_rounds(metric, logs, found, level)
    most = max(map(len, gaps.values()), default=0)
    return Estimate(value=None, unit="ms", reason=f"the {most} gaps of one process do not carry a p{p}")


def gaps_of_rounds(found: Samples) -> dict[int, list[int]]:
    """All gaps of the counted passes of each round in ns, sorted."""
    return {number: sorted(chain.from_iterable(gaps)) for number, gaps in found.gaps_ns.items()}


def gap_percentiles_ms(gaps: Mapping[int, Sequence[int]], p: int) -> dict[int, float]:
    """The percentile of the gaps of each round's process, where they carry it."""
    return {
        number: percentile(own, p) / NS_PER_MS
        for number, own in gaps.items()
        if percentile_allowed(len(own), p)
    }
