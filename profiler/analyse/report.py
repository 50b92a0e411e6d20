"""The report as a value: everything that a renderer shows, and nothing that it has to compute."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from typing import Any

import msgspec

from profiler.analyse import coherent, extrapolated, profiled, said
from profiler.analyse.assigned import assigned
from profiler.analyse.bandwidth import bandwidth_share, bits_read, read_bytes, speed
from profiler.analyse.behaviour import behaviour_notices
from profiler.analyse.board import BoardState, board_state
from profiler.analyse.comparison import Comparison, resolution
from profiler.analyse.contrasts import best_rows, comparisons
from profiler.analyse.energy_figures import Energy, energy_figures, energy_of, idle_moved
from profiler.analyse.estimate import Estimate, estimates
from profiler.analyse.metrics import PASS_METRICS, judged_metrics
from profiler.analyse.notices import Notice, of_profile, row_notices, run_notices, unlike_prediction
from profiler.analyse.percentiles import percentiles
from profiler.analyse.profiled import RowProfile
from profiler.analyse.residual import RowPrediction, of_row
from profiler.analyse.samples import pass_values
from profiler.analyse.simulated import BASIS, is_proven, proof_notices, proof_of, withheld
from profiler.analyse.study import Study, cores
from profiler.analyse.sustained import Sustained, start_notice, sustained
from profiler.analyse.variance import Spread, spread, start_cost
from profiler.runfile import (
    Build,
    Case,
    Device,
    Extrapolation,
    Failure,
    Proof,
    Route,
    Run,
    Settings,
    Worker,
    Workload,
    counted,
    extrapolated_cases,
    is_simulated,
    varying,
)
from profiler.runfile.imported import Origin

SCHEMA = "edgeprof.report/1"

NOT_YET = "not measured yet"
"""Of a row without figures and without a failure."""


class Row(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One case: what it was, its figures or its failure, where their spread comes from, and what to know.

    `prediction` is what a calibration had told before the run, `profile` where the time goes, `proof` what a device
    beside the CPU showed; JSON has them where there are any, and the `route` to that device.
    """

    id: str
    device: str
    target: str
    engine: str
    build: str
    quantization: str | None
    workload: str
    settings: Settings
    basis: str
    conditions: dict[str, Any]
    metrics: dict[str, Estimate]
    spread: dict[str, Spread]
    sustained: Sustained | None
    energy: Energy | None
    board: BoardState | None
    notices: list[Notice]
    failure: Failure | None
    prediction: RowPrediction | None = None
    proof: Proof | None = None
    route: Route | None = None
    profile: RowProfile | None = None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A run, analysed. `best` holds (metric, row) pairs; `resolution` the smallest difference that shows.

    `anchors` are the rows that only tie this run to others. `no_sensor` says why sources of energy have no sensor;
    `board` is the state of the board over all workers. `origin` says where imported
    figures come from; it is None for a run. `extrapolations` are the models whose rows are extrapolated from shapes.
    """

    schema: str
    edgeprof: str
    run_id: str
    device: Device
    builds: list[Build]
    sha256: dict[str, str]
    environment: dict[str, Any]
    engines: dict[str, dict[str, str | None]]
    workloads: list[Workload]
    varying: list[str]
    rounds: int
    passes: int
    most_passes: int
    cold: bool
    sustained_s: float
    memory_limit_bytes: int | None
    limited_by: str | None
    stopped: str | None
    elapsed_s: float
    resolution: dict[str, float]
    no_sensor: dict[str, str]
    board: BoardState | None
    rows: list[Row]
    anchors: list[str]
    best: list[tuple[str, str]]
    comparisons: list[Comparison]
    notices: list[Notice]
    origin: Origin | None = None
    extrapolations: list[Extrapolation] = msgspec.field(default_factory=list)

    @property
    def shapes(self) -> dict[str, str]:
        """The rows that were measured only to extrapolate from, with their share of the layers: 4 of 80 layers."""
        return {
            id: f"{taken.layers} of {whole.layers} layers"
            for whole in self.extrapolations
            for found in whole.cases
            for id, taken in zip(found.shapes, whole.shapes, strict=True)
        }

    @property
    def whole(self) -> list[Row]:
        """The rows of whole models, anchors among them: all but shapes."""
        shapes = self.shapes
        return [row for row in self.rows if row.id not in shapes]

    @property
    def own(self) -> list[Row]:
        """The rows that the report is about: all but shapes and anchors."""
        return [row for row in self.whole if row.id not in self.anchors]

    @property
    def files(self) -> list[Build]:
        """The builds that there is a file of: of models that are measured as shapes, only the shapes."""
        full = {whole.full.id for whole in self.extrapolations}
        return [build for build in self.builds if build.id not in full]


def workload_of(report: Report, row: Row) -> Workload:
    """What a row was asked. Every row's workload and build stand in its report."""
    return next(workload for workload in report.workloads if workload.id == row.workload)


def build_of(report: Report, row: Row) -> Build:
    """What a row was measured of."""
    return next(build for build in report.builds if build.id == row.build)


def failed_as(failure: Failure) -> str:
    """Kind and story of a failure in one sentence."""
    return f"{failure.kind.replace('_', ' ')}: {failure.message}"


def report(run: Run, base: str | None = None) -> Report:
    """Everything a run says. `base` names the row to compare with; else the first case of each workload.

    Raises `UserError` for a base without figures, and for a run file whose lines contradict each other.
    """
    coherent.check(run)
    study = Study(run)
    plan, header = run.header.plan, run.header
    compared = comparisons(study, base)
    return Report(
        schema=SCHEMA,
        edgeprof=header.edgeprof,
        run_id=header.run_id,
        device=header.device,
        builds=[*(whole.full for whole in plan.extrapolations), *plan.builds],
        sha256=run.sha256,
        environment=header.environment | {"worker": header.worker_environment},
        engines=_engines(plan.cases, run.workers),
        workloads=list({case.workload.id: case.workload for case in plan.cases}.values()),
        varying=varying(plan.cases),
        rounds=len({worker.round for worker in run.workers if worker.passes}),
        passes=plan.passes,
        cold=plan.cold,
        sustained_s=plan.sustained_s,
        memory_limit_bytes=plan.memory_limit_bytes,
        limited_by=next((worker.limit.by for worker in run.workers if worker.limit), None),
        most_passes=max((len(counted(worker.passes)) for worker in run.workers), default=plan.passes),
        stopped=run.ended.reason if run.ended else None,
        elapsed_s=_elapsed_s(run.workers),
        resolution=resolution(compared),
        no_sensor=header.no_sensor,
        board=board_state(run.workers),
        rows=[_extrapolated(study, case) for case in extrapolated_cases(plan)]
        + [_row(study, case) for case in _shapes_last(study)],
        anchors=plan.anchors,
        best=best_rows(study),
        comparisons=compared,
        notices=run_notices(run, compared, study.level),
        extrapolations=plan.extrapolations,
    )


def _shapes_last(study: Study) -> list[Case]:
    """The measured cases, those last that only an extrapolation rests on."""
    return sorted(study.plan.cases, key=lambda case: case.id in study.shapes)


def _extrapolated(study: Study, case: Case) -> Row:
    """A model that is measured as shapes: the conditions are those of its largest shape."""
    build, shapes = study.builds[case.build], study.shapes_of(case)
    known = study.has_figures(case)
    return Row(
        id=case.id,
        device=study.run.header.device.id,
        target=case.target,
        engine=case.engine,
        build=case.build,
        quantization=build.quantization,
        workload=case.workload.id,
        settings=case.settings,
        basis=extrapolated.BASIS,
        conditions=_conditions(study, shapes[-1]),
        metrics=extrapolated.figures(study, case) if known else {},
        spread={},
        sustained=None,
        energy=None,
        board=board_state([worker for shape in shapes for worker in study.workers[shape.id]]),
        notices=extrapolated.notices(study, case) if known else [],
        failure=None if known else extrapolated.failure(study, case),
    )


def _row(study: Study, case: Case) -> Row:
    build, workers = study.builds[case.build], study.workers[case.id]
    imitated, header = is_simulated(case), study.run.header
    cells, measured = shown_figures(study, case), study.has_figures(case)
    told = of_row(header.predictions, case, cells)
    profile = profiled.of_row(study.run.profiles, header.device, case, cells)
    return Row(
        id=case.id,
        device=study.run.header.device.id,
        target=case.target,
        engine=case.engine,
        build=case.build,
        quantization=build.quantization,
        workload=case.workload.id,
        settings=case.settings,
        basis=BASIS if imitated else "measured",
        conditions=_conditions(study, case),
        metrics=cells,
        spread=_spread(study, case),
        sustained=_sustained(study, case),
        energy=energy_of(study, case),
        board=board_state(workers),
        notices=[*proof_notices(header, case), *(_seen(study, case, told, profile) if measured else [])],
        failure=None if measured else _last_failure(workers),
        prediction=told,
        profile=profile,
        proof=proof_of(header, case),
        route=case.route,
    )


def _context(workers: Sequence[Worker]) -> int | None:
    """The context length that the engine really made, in tokens; the setting may be "auto"."""
    told = (said.number(worker.facts or {}, "context") for worker in workers)
    return next((int(tokens) for tokens in told if tokens is not None), None)


def _assigned(workers: Sequence[Worker]) -> str | None:
    """What runs where, as the last worker that was loaded told."""
    return next((assigned(worker.facts) for worker in reversed(workers) if worker.facts is not None), None)


def _conditions(study: Study, case: Case) -> dict[str, Any]:
    """Governor, context made, what runs where, share of the build in the page cache at the starts (median), limit.

    `limit_peak_bytes` are the most that any worker and its file cache took under the limit of memory.
    """
    shares = [w.cached_share for w in study.samples[case.id].workers.values() if w.cached_share is not None]
    peaks = [w.limit.peak_bytes for w in study.workers[case.id] if w.limit]
    return {
        "governor": ", ".join(said.texts(study.run.header.environment, "governors")) or None,
        "context": _context(study.workers[case.id]),
        "assigned": _assigned(study.workers[case.id]),
        "cached_share": median(shares) if shares else None,
        "memory_limit_bytes": study.plan.memory_limit_bytes,
        "limit_peak_bytes": max((peak for peak in peaks if peak is not None), default=None),
    }


def _sustained(study: Study, case: Case) -> Sustained | None:
    if not study.plan.sustained_s:
        return None
    return sustained(case, study.workers[case.id], study.plan.sustained_s, cores(study.run.header))


def _seen(study: Study, case: Case, told: RowPrediction | None, profile: RowProfile | None) -> list[Notice]:
    """What was noticed of a measured case, its prediction and its profile."""
    return [*_notices(study, case), *unlike_prediction(told), *of_profile(profile)]


def _notices(study: Study, case: Case) -> list[Notice]:
    notices = row_notices(study, case)
    turbo = study.run.header.environment.get("turbo") is True
    notices += behaviour_notices(study.samples[case.id], study.run.header.device, turbo)
    warm = start_notice(case.id, study.run.workers) if study.plan.sustained_s else None
    return [*notices, *(notice for notice in (warm, idle_moved(study, case)) if notice is not None)]


def _spread(study: Study, case: Case) -> dict[str, Spread]:
    """Where the spread of each judged metric comes from."""
    found = study.samples[case.id]
    cost = start_cost(found.workers.values())
    of_metrics = {}
    for metric in judged_metrics(case.workload.method):
        figures = pass_values(PASS_METRICS[metric], case, found)
        of_metrics[metric.name] = spread(([math.log(v) for v in values] for values in figures.values()), cost)
    return {name: known for name, known in of_metrics.items() if known is not None}


def _last_failure(workers: Sequence[Worker]) -> Failure | None:
    return next((worker.failure for worker in reversed(workers) if worker.failure is not None), None)


def shown_figures(study: Study, case: Case) -> dict[str, Estimate]:
    """Every cell that a report has of a case: none where nothing is known, on an imitated device those of its file."""
    if is_simulated(case):
        return withheld(case, figures(study, case)) if is_proven(study.run.header, case) else {}
    if not study.has_figures(case):
        return {}
    return (extrapolated.figures if case.id in study.extrapolated else figures)(study, case)


def figures(study: Study, case: Case) -> dict[str, Estimate]:
    """Every cell of a measured case by the name of its metric."""
    found, build = study.samples[case.id], study.builds[case.build]
    measured = estimates(case, found, study.level)
    read = read_bytes(build, case)
    share = bandwidth_share(study.run.header.device, read, speed(measured))
    from_file = {"read_bytes_per_token": read, "bits_read_per_weight": bits_read(build)}
    pooled = percentiles(case, found, study.level)
    return measured | pooled | from_file | {"bandwidth_share": share} | energy_figures(study, case)


def _engines(cases: Sequence[Case], workers: Sequence[Worker]) -> dict[str, dict[str, str | None]]:
    """What each engine said of itself, from its first loaded worker: versions, and how it was built."""
    found: dict[str, dict[str, str | None]] = {}
    engine_of = {case.id: case.engine for case in cases}
    for worker in workers:
        if worker.facts is not None and engine_of[worker.case] not in found:
            versions = said.part(worker.facts, "versions")
            told = {name: said.text(versions, name) for name in versions}
            found[engine_of[worker.case]] = told | {"system": said.text(worker.facts, "system")}
    return found


def _elapsed_s(workers: Sequence[Worker]) -> float:
    return sum(worker.ended.mono_ns - worker.started.mono_ns for worker in workers) / 1e9
