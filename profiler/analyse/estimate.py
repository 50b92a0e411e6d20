"""A figure with its interval, or the reason why there is none."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from profiler.analyse import memory
from profiler.analyse.metrics import (
    COLD_METRICS,
    MEMORY_METRICS,
    MEMORY_PARTS,
    PASS_METRICS,
    WORKER_METRICS,
    Metric,
)
from profiler.analyse.samples import Samples, log_values
from profiler.analyse.statistics import interval
from profiler.runfile import Case, Worker

PROMISED_LEVEL = 0.95


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """One cell of a report. `level` is what the interval promises, looks included.

    `processes` and `passes` are what the value rests on, `excluded` the finished passes left out of it.
    """

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
    """Every metric of a case by name, but percentiles and what its build's file says."""
    method, workers = case.workload.method, list(found.workers.values())
    figures = {
        metric.name: of_rounds(metric, log_values(formula, case, found), found, level)
        for metric, formula in PASS_METRICS.items()
        if method in metric.methods
    }
    for metric, of_worker in WORKER_METRICS.items():
        if method in metric.methods:
            figures[metric.name] = of_logs(metric, _logs([of_worker(w) for w in workers]), level)
    figures |= _cold_starts(method, workers, level)
    for metric, of_worker in MEMORY_METRICS.items():
        figures[metric.name] = _largest(metric, [of_worker(w) for w in workers])
    return figures | _parts(workers)


def _parts(workers: Sequence[Worker]) -> dict[str, Estimate]:
    """What memory is for, in the worker with the largest PSS: parts of several workers would not add up."""
    fullest = max(workers, key=lambda worker: memory.pss(worker) or 0, default=None)
    mine = [] if fullest is None else [fullest]
    return {m.name: _largest(m, [formula(w) for w in mine]) for m, formula in MEMORY_PARTS.items()}


def _cold_starts(method: str, workers: Sequence[Worker], level: float) -> dict[str, Estimate]:
    """Those of the workers that did start cold; else absent with what was recorded of why they did not."""
    why_not = next((worker.not_evicted for worker in workers if worker.not_evicted), None)
    figures = {}
    for metric, of_worker in COLD_METRICS.items():
        if method in metric.methods:
            told = replace(metric, absent=f"the build was not evicted: {why_not}") if why_not else metric
            figures[metric.name] = of_logs(told, _logs([of_worker(w) for w in workers]), level)
    return figures


def of_rounds(metric: Metric, logs: Mapping[int, float], found: Samples, level: float) -> Estimate:
    """The figure of one log for each round, made from the passes of that round."""
    passes = sum(len(found.passes[number]) for number in logs)
    return of_logs(metric, list(logs.values()), level, passes, found.excluded if logs else 0)


def _logs(values: Iterable[float | None]) -> list[float]:
    return [math.log(value) for value in values if value is not None and value > 0]


def of_logs(
    metric: Metric, values: Sequence[float], level: float, passes: int = 0, excluded: int = 0
) -> Estimate:
    """Centre and interval of one log for each process, shown on the metric's own scale."""
    if not values:
        return Estimate(value=None, unit=metric.unit, reason=metric.absent)
    bounds = interval(values, level)
    return Estimate(
        value=math.exp(values[0] if bounds is None else bounds.centre),
        low=None if bounds is None else _exp(bounds.low),
        high=None if bounds is None else _exp(bounds.high),
        level=None if bounds is None else PROMISED_LEVEL,
        unit=metric.unit,
        processes=len(values),
        passes=passes,
        excluded=excluded,
        provisional=bounds is not None and bounds.provisional,
        reason="one process has no spread" if bounds is None else None,
    )


def _exp(bound: float) -> float | None:
    """A bound on the metric's scale; None where it is beyond what a number can hold."""
    return math.exp(bound) if bound < 700 else None


def _largest(metric: Metric, values: Sequence[float | None]) -> Estimate:
    known = [value for value in values if value is not None]
    if not known:
        return Estimate(value=None, unit=metric.unit, reason=metric.absent)
    return Estimate(value=max(known), unit=metric.unit, processes=len(known))
