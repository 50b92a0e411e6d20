"""How a ratio and its verdict came to be: pairs formed inside rounds, their logs, the interval."""

from __future__ import annotations

import math

import msgspec

from profiler.analyse import coherent
from profiler.analyse.comparison import Comparison, log_ratios
from profiler.analyse.contrasts import comparisons
from profiler.analyse.explanation import SCHEMA, measured_case
from profiler.analyse.interval_steps import IntervalSteps, interval_steps
from profiler.analyse.metrics import Metric, judged_metrics
from profiler.analyse.statistics import corrected_level
from profiler.analyse.study import Study
from profiler.errors import UserError, nearest
from profiler.runfile import Case, Run


class PairSteps(msgspec.Struct, frozen=True, kw_only=True):
    """One round that both have: a value of each, and the log of candidate over base."""

    round: int
    base: float
    candidate: float
    log: float


class RatioExplanation(msgspec.Struct, frozen=True, kw_only=True):
    """A ratio of a report, as it stands there, and the pairs it was made from.

    `widened_by` is the share by which its interval is wider for what extrapolated figures may be wrong by.
    """

    schema: str
    run_id: str
    row: str
    base: str
    metric: str
    label: str
    unit: str
    higher_is_better: bool
    ended: bool
    pairs: list[PairSteps]
    interval: IntervalSteps | None
    comparison: Comparison
    widened_by: float | None = None


def explain_ratio(run: Run, row: str, name: str, base: str) -> RatioExplanation:
    """The steps from values to the ratio of this row to the base, as a report with this base has it.

    Raises `UserError` for rows and metrics that are not compared.
    """
    coherent.check(run)
    study = Study(run)
    candidate, against = measured_case(study, row), measured_case(study, base)
    compared = comparisons(study, base)
    metric, comparison = _judged(compared, candidate, against, name)
    judged = sum(item.metric is not None for item in compared)
    logs = study.logs(metric, against), study.logs(metric, candidate)
    level = corrected_level(study.level, judged)
    error = study.error(metric, against) + study.error(metric, candidate)
    return RatioExplanation(
        schema=SCHEMA,
        run_id=run.header.run_id,
        row=row,
        base=base,
        metric=name,
        label=metric.label,
        unit=metric.unit,
        higher_is_better=metric.higher_is_better,
        ended=run.ended is not None,
        pairs=[
            PairSteps(
                round=n,
                base=math.exp(logs[0][n]),
                candidate=math.exp(logs[1][n]),
                log=logs[1][n] - logs[0][n],
            )
            for n in logs[0]
            if n in logs[1]
        ],
        interval=interval_steps(log_ratios(*logs), level, study.looks, judged),
        comparison=comparison,
        widened_by=math.expm1(error) if error else None,
    )


def _judged(compared: list[Comparison], candidate: Case, base: Case, name: str) -> tuple[Metric, Comparison]:
    """The metric and the comparison of this name."""
    mine = {item.metric: item for item in compared if item.candidate == candidate.id}
    if None in mine:
        raise UserError(
            f"rows {base.id} and {candidate.id} were asked different things ({mine[None].differs[0]}): "
            "they have no ratio; choose another --base"
        )
    metrics = {
        metric.name: metric for metric in judged_metrics(candidate.workload.method) if metric.name in mine
    }
    if name not in metrics:
        raise UserError(
            f"{name!r} of row {candidate.id} is not compared with row {base.id}: "
            f"{nearest(name, metrics) if metrics else 'leave out --base'}"
        )
    return metrics[name], mine[name]
