"""One limit on one row, judged on the whole interval of its figure."""

from __future__ import annotations

import math
from enum import StrEnum

import msgspec

from profiler.analyse.comparison import UNFINISHED
from profiler.analyse.estimate import Estimate
from profiler.analyse.limit_metrics import FIRST_TOKEN_PERCENTILES, LIMITABLE, Kind, kind
from profiler.analyse.percentiles import first_tokens_ms
from profiler.analyse.plural import plural
from profiler.analyse.report import Row
from profiler.analyse.statistics import bound_rank, order_statistic_bound
from profiler.analyse.study import Study
from profiler.documents.limits import Limit, Relation
from profiler.runfile import MOST_ROUNDS

SAME = 1e-9
"""Relative."""


class Word(StrEnum):
    """SHIP: every limit is kept by the whole interval. SKIP: one is broken by the whole interval. Else UNDECIDED."""

    SHIP = "ship"
    SKIP = "skip"
    UNDECIDED = "undecided"


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """One limit on one row. `margin` is how far the value lies inside the limit, as a share of it (negative: beyond).

    `reason` is one clause: what was seen against what was asked, or why nothing can be said. `asked` is the limit in
    the metric's unit, `why` the reason that its file gives for it.
    """

    limit: str
    metric: str
    asked: float
    word: Word
    value: float | None
    low: float | None
    high: float | None
    unit: str
    margin: float | None
    reason: str
    why: str | None


class Bounds(msgspec.Struct, frozen=True):
    """What a figure is known to lie between (None: open), and what that rests on or lacks."""

    low: float | None
    high: float | None
    rests_on: str


def judge(limit: Limit, row: Row, study: Study | None) -> Judged:
    """The word for one limit. `study` is None where there are no stamps; a run is judged at its planned stop only."""
    figure = row.metrics.get(limit.metric)
    if figure is None or figure.value is None:
        absent = figure.reason or "it is not known" if figure is not None else _not_there(limit, row)
        return _judged(limit, Word.UNDECIDED, None, Bounds(None, None, absent))
    bounds = _bounds(limit, figure, row, study)
    if study is not None and study.run.ended is None:
        return _judged(
            limit, Word.UNDECIDED, figure.value, msgspec.structs.replace(bounds, rests_on=UNFINISHED)
        )
    return _judged(limit, word_of(limit, bounds), figure.value, bounds)


def _not_there(limit: Limit, row: Row) -> str:
    return (
        f"{limit.metric} is not measured by {row.workload}" if row.metrics else "nothing of it was measured"
    )


def _judged(limit: Limit, word: Word, value: float | None, bounds: Bounds) -> Judged:
    spread = kind(limit.metric) in (Kind.INTERVAL, Kind.FIRST_TOKENS)
    return Judged(
        limit=limit.text,
        metric=limit.metric,
        asked=limit.value,
        word=word,
        value=value,
        low=bounds.low if spread else None,
        high=bounds.high if spread else None,
        unit=LIMITABLE[limit.metric].unit,
        margin=_margin(limit, value),
        reason=bounds.rests_on,
        why=limit.why,
    )


def word_of(limit: Limit, bounds: Bounds) -> Word:
    """The farther bound keeps the limit, the nearer one breaks it, or neither is known to."""
    least = limit.relation is Relation.AT_LEAST
    nearer, farther = (bounds.high, bounds.low) if least else (bounds.low, bounds.high)
    if farther is not None and _keeps(limit, farther):
        return Word.SHIP
    return Word.SKIP if nearer is not None and not _keeps(limit, nearer) else Word.UNDECIDED


def _keeps(limit: Limit, value: float) -> bool:
    """A bound that is the limit itself keeps it, whatever the last digits of its logarithm are."""
    inside = value >= limit.value if limit.relation is Relation.AT_LEAST else value <= limit.value
    return inside or math.isclose(value, limit.value, rel_tol=SAME)


def _margin(limit: Limit, value: float | None) -> float | None:
    """None without a value, and for a limit of 0, which has no shares."""
    if value is None or limit.value == 0:
        return None
    inside = value - limit.value if limit.relation is Relation.AT_LEAST else limit.value - value
    return inside / limit.value


def _bounds(limit: Limit, figure: Estimate, row: Row, study: Study | None) -> Bounds:
    match kind(limit.metric):
        case Kind.LARGEST:
            return Bounds(figure.value, figure.value, _largest(figure))
        case Kind.EXACT:
            return Bounds(figure.value, figure.value, "from the file")
        case Kind.FIRST_TOKENS:
            return _of_first_tokens(FIRST_TOKEN_PERCENTILES[limit.metric], figure, row, study)
        case Kind.INTERVAL:
            return _of_interval(figure)


def _largest(figure: Estimate) -> str:
    seen = f"the largest of {plural(figure.processes, 'process')}" if figure.processes else "one figure"
    return f"{seen}, no interval"


def _of_interval(figure: Estimate) -> Bounds:
    processes = plural(figure.processes, "process")
    if figure.low is None and figure.high is None:
        return Bounds(None, None, figure.reason or "it has no interval")
    if figure.provisional:
        return Bounds(None, None, f"{processes} are too few for an interval that decides")
    return Bounds(
        figure.low, figure.high, f"interval over {processes}" if figure.processes else "its interval"
    )


def _of_first_tokens(p: int, figure: Estimate, row: Row, study: Study | None) -> Bounds:
    low, processes = _lower_bound(p, row, study), plural(figure.processes, "process")
    if figure.high is not None:
        return Bounds(low, figure.high, f"bounds over {processes}")
    needed = processes_for(p)
    if needed > MOST_ROUNDS:
        return Bounds(low, None, f"open above: p{p} needs {needed} processes, more than any run has")
    return Bounds(low, None, f"open above: {processes}, and p{p} needs {needed} for a bound")


def _lower_bound(p: int, row: Row, study: Study | None) -> float | None:
    """What the percentile is not below, by order statistics: the upper bound of the mirrored values, mirrored."""
    if study is None:
        return None
    case = next(case for case in study.plan.cases if case.id == row.id)
    mirrored = [-value for value in first_tokens_ms(case, study.samples[case.id]).values()]
    bound = order_statistic_bound(mirrored, 100 - p, study.level)
    return None if bound is None else -bound


def processes_for(p: int) -> int:
    """The fewest processes whose first tokens give the p-th percentile an upper bound, looked at once: 36 for p90."""
    n = 1
    while bound_rank(n, p) > n:
        n += 1
    return n
