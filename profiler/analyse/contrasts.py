"""How the rows of a run stand to each other: every comparison, and the best of each column."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

from profiler.analyse.comparison import Comparison, Terms, best, comparable, compare, not_comparable
from profiler.analyse.metrics import PASS_METRICS, Metric, judged_metrics
from profiler.analyse.statistics import corrected_level, look_level
from profiler.analyse.study import Study
from profiler.errors import UserError
from profiler.runfile import Case

MARKED = ("ttft_ms", "decode_tps", "prefill_tps", "pp_tps", "tg_tps")
"""The columns in which the best row is marked."""


def comparisons(study: Study, base_id: str | None) -> list[Comparison]:
    """Every measured row against the base, or against the first row that was asked the same.

    Intervals are widened for the number of comparisons. Raises `UserError` for a base without figures.
    """
    pairs = _pairs(study, base_id)
    judged = _judged(study, pairs)
    agreed = terms([study], len(judged))
    return [
        compare(
            metric,
            (b, study.logs(metric, b)),
            (c, study.logs(metric, c)),
            study.builds,
            agreed,
            study.error(metric, b) + study.error(metric, c),
        )
        for b, c, metric in judged
    ] + [not_comparable(b, c, study.builds) for b, c in pairs if not comparable(b, c)]


def _judged(study: Study, pairs: Iterable[tuple[Case, Case]]) -> list[tuple[Case, Case, Metric]]:
    """Each pair that was asked the same, with each metric that is judged and that both have."""
    every = [(b, c, m) for b, c in pairs if comparable(b, c) for m in judged_metrics(b.workload.method)]
    return [(b, c, metric) for b, c, metric in every if study.logs(metric, b) and study.logs(metric, c)]


def terms(studies: Sequence[Study], comparisons: int) -> Terms:
    """What so many comparisons at once are judged by: the stricter of their runs' levels, corrected."""
    count = max(1, comparisons)
    return Terms(
        level=corrected_level(max(study.level for study in studies), count),
        fresh_level=corrected_level(look_level(1), count),
        at_planned_stop=all(study.run.ended is not None for study in studies),
    )


def _pairs(study: Study, base_id: str | None) -> list[tuple[Case, Case]]:
    if base_id is None:
        return [(group[0], case) for group in study.groups() for case in group[1:]]
    base = _base(study, base_id)
    return [(base, case) for case in study.measured() if case is not base]


def _base(study: Study, base_id: str) -> Case:
    known = study.cases
    if base_id not in known:
        raise UserError(f"there is no row {base_id!r} in this run: its rows are {_some(known)}")
    if base_id in study.shapes:
        raise UserError(
            f"row {base_id} is a shape of few layers, measured only to extrapolate from: "
            f"rows to compare with are {_some(case.id for case in study.measured())}"
        )
    measured = {id: case for id, case in known.items() if study.has_figures(case)}
    if base_id not in measured:
        raise UserError(f"row {base_id} has no figures to compare with: rows that have are {_some(measured)}")
    return measured[base_id]


def _some(ids: Iterable[str]) -> str:
    first = list(itertools.islice(ids, 9))
    return ", ".join([*first[:8], "..."] if len(first) > 8 else first) or "none"


def best_rows(study: Study) -> list[tuple[str, str]]:
    """Metric and row wherever one row is better than all others of its workload; none before the planned stop.

    The level is that of the comparisons with the first rows, so no row is the best while those are undecided for
    want of rounds.
    """
    if study.run.ended is None:
        return []
    found = []
    level = terms([study], len(_judged(study, _pairs(study, None)))).level
    for group in study.groups():
        for metric in PASS_METRICS:
            if metric.name in MARKED and group[0].workload.method in metric.methods:
                logs = {case.id: study.logs(metric, case) for case in group}
                leader = best(metric, logs, level, {case.id: study.error(metric, case) for case in group})
                found += [(metric.name, leader)] if leader is not None else []
    return found
