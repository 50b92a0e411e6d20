"""A figure with its interval, or the reason why there is none."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import median

import msgspec

from profiler.analyse.metrics import (
    ITL_PERCENTILES,
    MEMORY_METRICS,
    PASS_METRICS,
    WORKER_METRICS,
    Metric,
    gaps_ms,
)
from profiler.analyse.samples import Samples, log_values
from profiler.analyse.statistics import interval, order_statistic_bound, percentile_allowed
from profiler.runfile import Case

PROMISED_LEVEL = 0.95


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """One cell of a report. `level` is what the interval promises, looks included."""

    value: float | None
    low: float | None = None
    high: float | None = None
    level: float | None = None
    unit: str
    processes: int = 0
    passes: int = 0
    excluded: int = 0
    provisional: bool = False
    reason: str | None = None


def estimates(case: Case, found: Samples, level: float) -> dict[str, Estimate]:
    """Every metric of a case by name."""
    figures: dict[str, Estimate] = {}
    for metric, formula in PASS_METRICS.items():
        if case.workload.method in metric.methods:
            figures[metric.name] = _of_logs(metric, log_values(formula, case, found), found, level)
    for metric, of_worker in WORKER_METRICS.items():
        if case.workload.method in metric.methods:
            values = {number: of_worker(worker) for number, worker in found.workers.items()}
            logs = {number: math.log(value) for number, value in values.items() if value}
            figures[metric.name] = _of_logs(metric, logs, found, level)
    for metric, of_worker in MEMORY_METRICS.items():
        figures[metric.name] = _largest(metric, [of_worker(w) for w in found.workers.values()])
    if case.workload.method == "text":
        figures |= gap_percentiles(found)
    return figures


def _of_logs(metric: Metric, logs: Mapping[int, float], found: Samples, level: float) -> Estimate:
    """Centre and interval on the log scale, shown on the metric's own."""
    values = list(logs.values())
    if not values:
        return Estimate(value=None, unit=metric.unit, reason="no pass gives this figure")
    bare = Estimate(
        value=math.exp(values[0]),
        unit=metric.unit,
        processes=len(values),
        passes=sum(len(found.passes.get(number, [])) for number in logs),
        excluded=found.excluded,
    )
    bounds = interval(values, level)
    if bounds is None:
        return msgspec.structs.replace(bare, reason="one process has no spread")
    return msgspec.structs.replace(
        bare,
        value=math.exp(bounds.centre),
        low=_exp(bounds.low),
        high=_exp(bounds.high),
        level=PROMISED_LEVEL,
        provisional=bounds.provisional,
    )


def _exp(bound: float) -> float | None:
    """A bound on the metric's scale; None where it is beyond what a number can hold."""
    return math.exp(bound) if bound < 700 else None


def _largest(metric: Metric, values: Sequence[float | None]) -> Estimate:
    known = [value for value in values if value is not None]
    if not known:
        return Estimate(value=None, unit=metric.unit, reason="not readable on this system")
    return Estimate(value=max(known), unit=metric.unit, processes=len(known))


def gap_percentiles(found: Samples) -> dict[str, Estimate]:
    """Percentiles of the gaps between tokens, pooled over all counted passes.

    Gaps grow with depth, so these describe the whole answer. A percentile that the samples do not carry is
    absent; `high` is a 95% bound from order statistics, None while it is open above.
    """
    gaps = sorted(gap for passes in found.passes.values() for done in passes for gap in gaps_ms(done))
    return {f"itl_ms.p{p}": _gap_percentile(gaps, p, found) for p in ITL_PERCENTILES}


def _gap_percentile(gaps: list[float], p: int, found: Samples) -> Estimate:
    if not gaps or not percentile_allowed(len(gaps), p):
        return Estimate(value=None, unit="ms", reason=f"{len(gaps)} gaps do not carry a p{p}")
    value = median(gaps) if p == 50 else gaps[math.ceil(p / 100 * len(gaps)) - 1]
    high = order_statistic_bound(gaps, p)
    return Estimate(
        value=value,
        high=high,
        level=PROMISED_LEVEL if high is not None else None,
        unit="ms",
        processes=len(found.passes),
        passes=sum(map(len, found.passes.values())),
        excluded=found.excluded,
    )
