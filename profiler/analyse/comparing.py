"""Rows of one run, or of two, against each other: from run files to a comparison as a value."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from profiler import __version__
from profiler.analyse import coherent, extrapolated
from profiler.analyse.across import compare_runs
from profiler.analyse.compared import SCHEMA, Compared, Pair, Side, Value
from profiler.analyse.comparison import Comparison, Terms, compare, not_comparable
from profiler.analyse.contrasts import comparisons, terms
from profiler.analyse.differences import sensor_of
from profiler.analyse.gate import Condition, metric_of, overall
from profiler.analyse.matches import Match, matches, notes
from profiler.analyse.metrics import ENERGY_METRICS, METRICS, Metric, judged_metrics
from profiler.analyse.pair_gate import outcomes, without_partner
from profiler.analyse.statistics import interval
from profiler.analyse.study import Study
from profiler.errors import UserError
from profiler.runfile import Case, Failure, Run

TOLD = ("some_failed", "disturbed", "disagrees", "extrapolated", "as_if_it_fitted")
"""Notices of a row without which a comparison of it would be misread."""


def compare_files(
    base: Run,
    candidate: Run | None = None,
    *,
    rows: tuple[str | None, str | None] = (None, None),
    conditions: Sequence[Condition] = (),
    files: tuple[str, str] = ("base", "candidate"),
) -> Compared:
    """Rows of one run, or of two, against each other.

    `rows` are the rows of base and candidate by id, None for all; `files` what the runs are called. Raises `UserError`
    for a row that there is not, a run of one row, and a run file whose lines contradict each other.
    """
    ours = _study(base)
    theirs = ours if candidate is None else _study(candidate)
    matched, unmatched = matches(ours, theirs, rows)
    if not matched and not conditions:
        raise UserError("; ".join(unmatched))
    _refuse_unlike(matched, conditions)
    judged = [_metrics(match, conditions) for match in matched]
    agreed = terms([ours, theirs], max(sum(map(len, judged)), _of_the_run(ours) if ours is theirs else 0))
    pairs = [_pair(match, metrics, agreed) for match, metrics in zip(matched, judged, strict=True)]
    found = outcomes(conditions, pairs, agreed)
    if rows == (None, None) and ours is not theirs:
        found += without_partner(conditions, _left_over(ours, matched))
    return Compared(
        schema=SCHEMA,
        edgeprof=__version__,
        base=_side(ours, files[0]),
        candidate=_side(theirs, files[1]),
        pairs=pairs,
        unmatched=unmatched,
        conditions=found,
        result=overall(found) if conditions else None,
        notes=notes(matched),
    )


def _of_the_run(study: Study) -> int:
    """How many comparisons the report of this run shows: who picks two of its rows has seen them all."""
    return sum(item.metric is not None for item in comparisons(study, None))


def _left_over(base: Study, matched: Sequence[Match]) -> list[Case]:
    """The rows of the base that nothing is compared with."""
    taken = {match.base[1].id for match in matched}
    return [case for case in base.own() if case.id not in taken]


def _refuse_unlike(matched: Sequence[Match], conditions: Sequence[Condition]) -> None:
    """A condition on a metric that these workloads do not have would never fail. Raises `UserError`."""
    methods = {match.method for match in matched if match.alike and match.measured}
    for asked in conditions if methods else ():
        if not methods & metric_of(asked).methods:
            judged = ", ".join(
                dict.fromkeys(m.name for method in sorted(methods) for m in judged_metrics(method))
            )
            raise UserError(
                f"--fail-if {asked.text!r}: the workloads of these rows have no {asked.metric}; their headline metrics "
                f"are {judged}"
            )


def _study(run: Run) -> Study:
    coherent.check(run)
    return Study(run)


def _metrics(match: Match, conditions: Sequence[Condition]) -> list[Metric]:
    """The headline metrics and those that conditions name, where both rows have values of them."""
    if not match.alike:
        return []
    method = match.method
    named = [metric_of(asked) for asked in conditions]
    wanted = dict.fromkeys([*judged_metrics(method), *(m for m in named if method in m.methods)])
    return [metric for metric in wanted if all(match.logs(metric)) and _of_one_scope(match, metric)]


def _of_one_scope(match: Match, metric: Metric) -> bool:
    """Energy is compared only where one source told it of one scope: a package is not a whole device."""
    names = {sensor_of(study, case) for study, case in (match.base, match.candidate)}
    return metric not in ENERGY_METRICS or len(names) == 1


def _pair(match: Match, metrics: Iterable[Metric], agreed: Terms) -> Pair:
    (ours, case), (theirs, other) = match.base, match.candidate
    told = match.differs()
    compared = [_comparison(match, metric, agreed, told) for metric in metrics]
    if not match.alike:
        compared = [not_comparable(case, other, ours.builds | {other.build: theirs.builds[other.build]})]
    return Pair(
        base=case.id,
        candidate=other.id,
        base_build=case.build,
        candidate_build=other.build,
        workload=case.workload.id,
        method=case.workload.method,
        design=match.design,
        base_failure=_failure(match.base),
        candidate_failure=_failure(match.candidate),
        differs=told,
        comparisons=compared,
        values={c.metric: _value(match, METRICS[c.metric]) for c in compared if c.metric},
        notices=[*_row_notices(match.base), *_row_notices(match.candidate)],
        base_basis=_basis(match.base),
        candidate_basis=_basis(match.candidate),
    )


def _comparison(match: Match, metric: Metric, agreed: Terms, told: list[str]) -> Comparison:
    if match.paired:
        (study, case), (_, other) = match.base, match.candidate
        ours, theirs = match.logs(metric)
        error = study.error(metric, case) + study.error(metric, other)
        return compare(metric, (case, ours), (other, theirs), study.builds, agreed, error)
    return compare_runs(metric, match.base, match.candidate, match.anchors, agreed, told)


def _value(match: Match, metric: Metric) -> Value:
    sides = zip((match.base, match.candidate), match.logs(metric), strict=True)
    ours, theirs = (_centre(list(logs.values()), study.level) for (study, _), logs in sides)
    return Value(base=ours, candidate=theirs, unit=metric.unit, label=metric.label)


def _centre(logs: Sequence[float], level: float) -> float:
    bounds = interval(logs, level)
    return math.exp(min(700.0, bounds.centre if bounds else logs[0]))


def _failure(row: tuple[Study, Case]) -> Failure | None:
    """The last failure of a row without figures, or of one that its run gave up while it went on."""
    study, case = row
    if case.id in study.extrapolated:
        return extrapolated.failure(study, case)
    mine = study.workers[case.id]
    failures = [worker.failure for worker in mine if worker.failure is not None]
    if not failures:
        return None
    return failures[-1] if study.given_up(case) or not study.has_figures(case) else None


def _basis(row: tuple[Study, Case]) -> str:
    study, case = row
    return extrapolated.BASIS if case.id in study.extrapolated else "measured"


def _row_notices(row: tuple[Study, Case]) -> list[str]:
    study, case = row
    if not study.has_figures(case):
        return []
    found = extrapolated.notices_of(study, case)
    return [f"{case.id}: {notice.seen}; {notice.advice}" for notice in found if notice.code in TOLD]


def _side(study: Study, file: str) -> Side:
    header, ended = study.run.header, study.run.ended
    return Side(
        file=file,
        run_id=header.run_id,
        edgeprof=header.edgeprof,
        device=header.device.label,
        rounds=len({worker.round for worker in study.run.workers if worker.passes}),
        stopped=ended.reason or "ended" if ended else None,
    )
