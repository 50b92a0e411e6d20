"""How one cell of a report came to be: stamps, one value for each process, interval.

Every step is taken by the functions that the report is computed with; nothing is computed a second way.
"""

from __future__ import annotations

import math

import msgspec

from profiler.analyse import coherent, extrapolated, memory, steps, symbols
from profiler.analyse.bandwidth import read_bytes, speed
from profiler.analyse.contrasts import best_rows
from profiler.analyse.energy_figures import Energy, energy_of
from profiler.analyse.estimate import Estimate
from profiler.analyse.extrapolated_lines import EXTRAPOLATED, Lines, inverse
from profiler.analyse.interval_steps import IntervalSteps, interval_steps
from profiler.analyse.metrics import (
    COLD_METRICS,
    ENERGY_METRICS,
    FROM_FILE,
    IDLE_POWER,
    MEMORY_METRICS,
    MEMORY_PARTS,
    OF_WORKERS,
    PASS_METRICS,
    WORKER_METRICS,
    Metric,
)
from profiler.analyse.percentiles import FIRST_TOKENS, GAPS, rank
from profiler.analyse.report import shown_figures
from profiler.analyse.residual import RowPrediction, of_row
from profiler.analyse.statistics import bound_rank
from profiler.analyse.steps import ProcessSteps
from profiler.analyse.study import Study
from profiler.analyse.symbols import Symbol
from profiler.errors import UserError, nearest
from profiler.runfile import Case, Failure, Run, is_simulated

SCHEMA = "edgeprof.explain/1"

EXPLAINED = {
    metric.name: metric
    for metric in [
        *PASS_METRICS,
        *WORKER_METRICS,
        *COLD_METRICS,
        *MEMORY_METRICS,
        *MEMORY_PARTS,
        *ENERGY_METRICS,
        IDLE_POWER,
        *FIRST_TOKENS,
        *GAPS,
    ]
} | FROM_FILE
"""Every metric whose steps are known, by name."""


class OrderSteps(msgspec.Struct, frozen=True, kw_only=True):
    """A percentile of independent samples: the sorted samples, where it stands, and where its upper bound does.

    Ranks count from 1; that of the bound may lie beyond the samples: then it is open above.
    """

    samples: list[float]
    rank: int
    bound_rank: int


class ExtrapolationSteps(msgspec.Struct, frozen=True, kw_only=True):
    """The line of each round over the layers of its shapes: `rows` and `builds` are theirs, the fewest layers first.

    Times are in the unit of the metric, or its inverse where `inverted`. Bounds are widened by `widened_by`, a share.
    """

    rows: list[str]
    builds: list[str]
    inverted: bool
    lines: Lines
    widened_by: float


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """A cell of a report, as it stands there, and everything it was made from.

    `processes` are empty for a figure from the build's file or of the whole run, whose symbols stand in `symbols`.
    `interval` is None where the figure has none, `order` all but for percentiles of first tokens. `all_count` says that
    nearly all passes were disturbed, and none left out for it. `sensor` is what a figure of energy rests on,
    `prediction` what was predicted of the row. `extrapolation` are the lines over layers of an extrapolated figure,
    which has no processes of its own.
    """

    schema: str
    run_id: str
    row: str
    build: str
    engine: str
    workload: str
    metric: str
    label: str
    meaning: str
    formula: str
    meanings: dict[str, str]
    processes: list[ProcessSteps]
    all_count: bool
    symbols: dict[str, Symbol]
    interval: IntervalSteps | None
    order: OrderSteps | None
    sensor: Energy | None
    cell: Estimate
    best: bool
    prediction: RowPrediction | None = None
    extrapolation: ExtrapolationSteps | None = None


def explain(run: Run, row: str, name: str) -> Explanation:
    """The steps from stamps to the cell of this row and metric.

    Raises `UserError` for a row or a metric that the run does not have, and for a row without figures.
    """
    coherent.check(run)
    study = Study(run)
    case = _case(study, row)
    is_extrapolated = case.id in study.extrapolated
    cells = _cells(study, case, name)
    metric = EXPLAINED.get(name)
    formula = metric.formula if metric else ""
    lined = _extrapolation(study, case, metric) if metric and is_extrapolated else None
    processes = _processes(study, case, metric) if metric and not is_extrapolated else []
    return Explanation(
        schema=SCHEMA,
        run_id=run.header.run_id,
        row=row,
        build=case.build,
        engine=case.engine,
        workload=case.workload.id,
        metric=name,
        label=metric.label if metric else name,
        meaning=metric.meaning if metric else "",
        formula=formula,
        meanings={symbol: symbols.MEANINGS[symbol] for symbol in symbols.named_in(formula)},
        processes=processes,
        all_count=study.samples[row].kept_although_disturbed,
        symbols=_symbols(study, case, metric, cells),
        interval=_interval_of_lines(study, lined) if is_extrapolated else _interval(study, metric, processes),
        order=_order(metric, processes, study.level),
        sensor=energy_of(study, case) if _is_metered(metric) and not is_extrapolated else None,
        cell=cells[name],
        best=(name, row) in best_rows(study),
        prediction=of_row(run.header.predictions, case, cells),
        extrapolation=lined,
    )


def _cells(study: Study, case: Case, name: str) -> dict[str, Estimate]:
    """The figures of a row, this one among them."""
    cells = shown_figures(study, case)
    if not cells:
        raise _without_figures(study, case)
    if name not in cells:
        raise UserError(f"row {case.id} has no metric {name!r}: {nearest(name, cells)}")
    return cells


def _is_metered(metric: Metric | None) -> bool:
    return metric in ENERGY_METRICS or metric is IDLE_POWER


def _extrapolation(study: Study, case: Case, metric: Metric) -> ExtrapolationSteps | None:
    if metric.name not in EXTRAPOLATED:
        return None
    shapes, found = study.shapes_of(case), study.lines(metric, case)
    return ExtrapolationSteps(
        rows=[shape.id for shape in shapes],
        builds=[shape.build for shape in shapes],
        inverted=inverse(metric),
        lines=found,
        widened_by=math.expm1(found.error),
    )


def _interval_of_lines(study: Study, lined: ExtrapolationSteps | None) -> IntervalSteps | None:
    """That of the times at all layers, before it is widened."""
    if lined is None or lined.lines.reason is not None or not lined.lines.on_log_scale:
        return None
    return interval_steps([math.log(line.full) for line in lined.lines.rounds], study.level, study.looks)


def measured_case(study: Study, row: str) -> Case:
    """The case of this id. Raises `UserError` where there is none, or where nothing of it was measured."""
    case = _case(study, row)
    if not study.has_figures(case):
        raise _without_figures(study, case)
    return case


def _case(study: Study, row: str) -> Case:
    known = study.cases
    if row not in known:
        raise UserError(f"there is no row {row!r} in this run: {nearest(row, known)}")
    return known[row]


def _without_figures(study: Study, case: Case) -> UserError:
    failed = _failure(study, case)
    imitated = "its device is imitated in software" if is_simulated(case) else "not measured yet"
    why = f"{failed.kind}: {failed.message}" if failed else imitated
    return UserError(f"row {case.id} has no figures ({why}); choose a row that was measured")


def _failure(study: Study, case: Case) -> Failure | None:
    if case.id in study.extrapolated:
        return extrapolated.failure(study, case)
    return next((w.failure for w in reversed(study.workers[case.id]) if w.failure is not None), None)


def _processes(study: Study, case: Case, metric: Metric) -> list[ProcessSteps]:
    if metric in PASS_METRICS:
        return steps.of_passes(study, case, metric)
    if metric in FIRST_TOKENS:
        return steps.of_first_tokens(study, case, metric)
    if metric in GAPS:
        return steps.of_gaps(study, case, metric, GAPS[metric])
    if metric in ENERGY_METRICS:
        return steps.of_energy(study, case, metric)
    formula = OF_WORKERS.get(metric)
    told = steps.of_workers(study, case, metric, formula) if formula else []
    return (
        [one for one in told if one.round == _fullest_round(study, case)] if metric in MEMORY_PARTS else told
    )


def _fullest_round(study: Study, case: Case) -> int:
    """Parts of memory are those of the process with the largest PSS."""
    found = study.samples[case.id].workers
    return max(found, key=lambda number: memory.pss(found[number]) or 0)


def _interval(study: Study, metric: Metric | None, processes: list[ProcessSteps]) -> IntervalSteps | None:
    without = {*MEMORY_METRICS, *MEMORY_PARTS, *FIRST_TOKENS}
    if metric is None or metric in without or metric.name in FROM_FILE:
        return None
    logs = [process.log for process in processes if process.log is not None]
    return interval_steps(logs, study.level, study.looks)


def _order(metric: Metric | None, processes: list[ProcessSteps], level: float) -> OrderSteps | None:
    if metric not in FIRST_TOKENS or not processes:
        return None
    samples = sorted(process.value for process in processes if process.value is not None)
    p = FIRST_TOKENS[metric]
    return OrderSteps(
        samples=samples, rank=rank(len(samples), p), bound_rank=bound_rank(len(samples), p, level)
    )


def _symbols(
    study: Study, case: Case, metric: Metric | None, cells: dict[str, Estimate]
) -> dict[str, Symbol]:
    """Those of a figure that no process has: of the build's file, or of the whole run."""
    if metric is IDLE_POWER:
        metered = study.energy[case.id]
        return {"idle_w": dict(metered.idle_w)} if metered and metered.idle_w else {}
    return _from_file(study, case, metric, cells) if metric and metric.name in FROM_FILE else {}


def _from_file(study: Study, case: Case, metric: Metric, cells: dict[str, Estimate]) -> dict[str, Symbol]:
    build, device = study.builds[case.build], study.run.header.device
    known = symbols.of_build(build, case, device, read_bytes(build, case), speed(cells))
    return steps.only_named(metric, known)
