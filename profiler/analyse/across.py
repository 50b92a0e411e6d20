"""A comparison of rows of two runs. The machine has moved between them, and only a common anchor cancels that."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist, fmean, variance

import msgspec
from msgspec.structs import replace

from profiler.analyse.comparison import Comparison, Terms, log_ratios, told, widened, with_allowance
from profiler.analyse.differences import same_device
from profiler.analyse.metrics import Metric
from profiler.analyse.statistics import Interval, welch_interval
from profiler.analyse.study import Study
from profiler.analyse.verdict import Verdict, judge
from profiler.runfile import Build, Case, Workload

SESSION_SD = 0.145
"""How far one session of a build on one machine lies from what it usually is: the square root of the robust
semivariogram at 1,000 s (301 llama-bench processes on a virtual machine; noise study, section 1). A semivariogram is
half of the mean squared difference, so the log ratio of two sessions is spread by sqrt(2) times as much. Intervals
that leave it out hold in 46% to 82% of pairs of sessions, not in 95% (section 8)."""

AMOUNT = "B"
"""The unit of what does not move with the machine's pace."""

Row = tuple[Study, Case]


def unanchored(
    base: Sequence[float], candidate: Sequence[float], level: float, session_sd: float = SESSION_SD
) -> Interval | None:
    """The interval of candidate - base from one log for each process of two runs, widened for what lies between.

    `session_sd` is of one session: its square is added for each of the two to the squared error of the two means.
    None while one run has fewer than two processes.
    """
    bounds = welch_interval(base, candidate, level)
    if bounds is None:
        return None
    allowance = NormalDist().inv_cdf((1 + level) / 2) * math.sqrt(2) * session_sd
    half_width = math.hypot((bounds.high - bounds.low) / 2, allowance)
    return replace(bounds, low=bounds.centre - half_width, high=bounds.centre + half_width)


def anchored(base: Sequence[float], candidate: Sequence[float], level: float) -> Interval | None:
    """The interval of candidate - base from the log ratios to a common anchor, formed inside the rounds of each run.

    What moved the whole machine moved the anchor too, and is gone. None while one run has fewer than two.
    """
    return welch_interval(base, candidate, level)


def compare_runs(
    metric: Metric,
    base: Row,
    candidate: Row,
    anchors: tuple[Case, Case] | None,
    terms: Terms,
    differs: list[str],
) -> Comparison:
    """One comparison of rows of two runs, through the anchor that both measured, if there is one.

    Without it the verdict is better or worse only beyond the allowance for the sessions, and never the same.
    Bytes need neither.
    """
    found = _difference(metric, base, candidate, anchors, terms.level)
    error = sum(study.error(metric, case) for study, case in (base, candidate))
    bounds = widened(found.bounds, error)
    verdict = judge(bounds, at_planned_stop=terms.at_planned_stop, higher_is_better=metric.higher_is_better)
    known = found.spread is not None or verdict is not Verdict.SAME
    comparison = told(
        metric,
        (base[1], candidate[1]),
        bounds,
        verdict if known else Verdict.UNDECIDED,
        terms,
        alone=found.alone,
        pairs=found.pairs,
        spread=found.spread,
        differs=differs,
    )
    return with_allowance(comparison, error)


class _Difference(msgspec.Struct, frozen=True, kw_only=True):
    """Two rows apart, in logs: bounds, the difference alone, the spread of rounds, and how many were paired."""

    bounds: Interval | None
    alone: float | None
    spread: float | None = None
    pairs: int = 0


def _difference(
    metric: Metric, base: Row, candidate: Row, anchors: tuple[Case, Case] | None, level: float
) -> _Difference:
    ours, theirs = _logs(metric, base), _logs(metric, candidate)
    ratios = _to_anchors(metric, base, candidate, anchors)
    if metric.unit == AMOUNT:
        bounds, spread = welch_interval(ours, theirs, level), _spread(ours, theirs)
        return _Difference(bounds=bounds, alone=_apart(ours, theirs), spread=spread)
    if ratios is None:
        return _Difference(bounds=unanchored(ours, theirs, level), alone=_apart(ours, theirs))
    return _Difference(
        bounds=anchored(*ratios, level),
        alone=_apart(*ratios),
        spread=_spread(*ratios) / math.sqrt(2),
        pairs=min(map(len, ratios)),
    )


def _apart(ours: Sequence[float], theirs: Sequence[float]) -> float | None:
    return fmean(theirs) - fmean(ours) if ours and theirs else None


def common_anchor(base: Study, candidate: Study, workload: Workload) -> tuple[Case, Case] | None:
    """The anchor of this workload that both runs measured: same content, engine and settings, on one kind of machine.

    Of another device it cancels nothing: how fast an anchor is there says little of how fast other builds are.
    """
    if not same_device(base, candidate):
        return None
    ours, theirs = _anchors(base, workload), _anchors(candidate, workload)
    return next(((b, c) for b in ours for c in theirs if _same(base, b, candidate, c)), None)


def _anchors(study: Study, workload: Workload) -> list[Case]:
    anchors = (case for case in study.plan.cases if case.id in study.plan.anchors)
    return [case for case in anchors if case.workload == workload and study.has_figures(case)]


def _same(base: Study, b: Case, candidate: Study, c: Case) -> bool:
    alike = (b.engine, b.target, b.settings) == (c.engine, c.target, c.settings)
    return alike and _same_build(base, base.builds[b.build], candidate, candidate.builds[c.build])


def _same_build(base: Study, b: Build, candidate: Study, c: Build) -> bool:
    """By content where it was hashed in both runs, else by name and size."""
    hashes = base.run.sha256.get(b.id), candidate.run.sha256.get(c.id)
    if None not in hashes:
        return hashes[0] == hashes[1]
    return (b.name, b.size_bytes) == (c.name, c.size_bytes)


def _logs(metric: Metric, row: Row) -> list[float]:
    study, case = row
    return list(study.logs(metric, case).values())


def _to_anchors(
    metric: Metric, base: Row, candidate: Row, anchors: tuple[Case, Case] | None
) -> tuple[list[float], list[float]] | None:
    """Log ratios of each row to its run's anchor; None where there is none, or where it lacks this metric."""
    if anchors is None:
        return None
    rows = zip((base, candidate), anchors, strict=True)
    ours, theirs = (
        log_ratios(study.logs(metric, anchor), study.logs(metric, case)) for (study, case), anchor in rows
    )
    return (ours, theirs) if ours and theirs else None


def _spread(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Of a difference of one value from each."""
    if min(len(ours), len(theirs)) < 2:
        return 0.0
    return math.sqrt(variance(ours) + variance(theirs))
