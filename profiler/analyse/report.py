"""The report as a value: everything that a renderer shows, and nothing that it has to compute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from profiler.analyse.comparison import Comparison, best, comparable, compare, not_comparable, widest
from profiler.analyse.estimate import Estimate, estimates
from profiler.analyse.metrics import PASS_METRICS, Metric, judged_metrics
from profiler.analyse.notices import Notice, row_notices, run_notices
from profiler.analyse.samples import Samples, log_values, samples, standing_attempts
from profiler.analyse.statistics import corrected_level, interval, look_level
from profiler.errors import UserError, nearest
from profiler.runfile import Build, Case, Device, Failure, Run, Settings, Worker, Workload, varying

SCHEMA = "edgeprof.report/1"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One case: what it was, its figures or its failure, and what to know about them."""

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
    notices: list[Notice]
    failure: Failure | None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A run, analysed. `best` holds (metric, row) pairs; `resolution` the smallest difference that shows."""

    schema: str
    edgeprof: str
    run_id: str
    device: Device
    builds: list[Build]
    sha256: dict[str, str]
    environment: dict[str, Any]
    engines: dict[str, Any]
    workloads: list[Workload]
    varying: list[str]
    rounds: int
    passes: int
    stopped: str | None
    elapsed_s: float
    resolution: dict[str, float]
    rows: list[Row]
    best: list[tuple[str, str]]
    comparisons: list[Comparison]
    notices: list[Notice]


class _Study:
    """A run with the samples of each case."""

    def __init__(self, run: Run) -> None:
        self.run, self.plan = run, run.header.plan
        self.cores = _cores(run)
        self.level = look_level(1 if self.plan.rounds is not None else len(self.plan.checkpoints))
        self.builds = {build.id: build for build in self.plan.builds}
        standing = standing_attempts(run.workers)
        self.samples = {c.id: samples(c, run.workers, standing, self.cores) for c in self.plan.cases}

    def logs(self, metric: Metric, case: Case) -> dict[int, float]:
        return log_values(PASS_METRICS[metric], case, self.samples[case.id])

    def measured(self) -> list[Case]:
        return [case for case in self.plan.cases if self.samples[case.id].passes]

    def groups(self) -> list[list[Case]]:
        """The measured cases, those asked the same together."""
        groups: list[list[Case]] = []
        for case in self.measured():
            home = next((group for group in groups if comparable(group[0], case)), None)
            groups.append([case]) if home is None else home.append(case)
        return groups


def _cores(run: Run) -> int:
    return int(run.header.environment.get("cpus_total") or run.header.device.cores or 1)


def report(run: Run, base: str | None = None) -> Report:
    """Everything a run says. `base` names the row to compare with; else the first case of each workload."""
    study = _Study(run)
    plan, header = run.header.plan, run.header
    comparisons = _comparisons(study, base)
    return Report(
        schema=SCHEMA,
        edgeprof=header.edgeprof,
        run_id=header.run_id,
        device=header.device,
        builds=plan.builds,
        sha256=run.sha256,
        environment=header.environment | {"worker": header.worker_environment},
        engines=_engines(plan.cases, run.workers),
        workloads=list({case.workload.id: case.workload for case in plan.cases}.values()),
        varying=varying(plan.cases),
        rounds=len({worker.round for worker in run.workers if worker.passes}),
        passes=plan.passes,
        stopped=run.ended.reason if run.ended else None,
        elapsed_s=_elapsed_s(run.workers),
        resolution=_resolution(study),
        rows=[_row(study, case) for case in plan.cases],
        best=_best(study),
        comparisons=comparisons,
        notices=run_notices(run),
    )


def half_width(run: Run) -> float | None:
    """The widest half-width of the headline intervals of a run, as a share; None while one is missing."""
    study = _Study(run)
    found = [
        interval(list(study.logs(metric, case).values()), study.level)
        for case in study.measured()
        for metric in judged_metrics(case.workload.method)
    ]
    return widest(found)


def _row(study: _Study, case: Case) -> Row:
    found = study.samples[case.id]
    build = study.builds[case.build]
    failures = [w.failure for w in study.run.workers if w.case == case.id and w.failure is not None]
    measured = bool(found.passes)
    return Row(
        id=case.id,
        device=study.run.header.device.id,
        target=case.target,
        engine=case.engine,
        build=case.build,
        quantization=build.quantization,
        workload=case.workload.id,
        settings=case.settings,
        basis="measured",
        conditions={"governor": study.run.header.environment.get("governors")},
        metrics=_metrics(study, case, found) if measured else {},
        notices=row_notices(case, build, found, failures, study.run.workers) if measured else [],
        failure=None if measured else _failure(failures),
    )


def _failure(failures: Sequence[Failure]) -> Failure | None:
    return failures[-1] if failures else None


def _metrics(study: _Study, case: Case, found: Samples) -> dict[str, Estimate]:
    figures = estimates(case, found, study.level)
    figures["read_bytes_per_token"] = _read_bytes(study.builds[case.build], case)
    figures["bandwidth_share"] = _bandwidth_share(study, figures)
    return figures


def _read_bytes(build: Build, case: Case) -> Estimate:
    """Weights of one decoded token and the KV cache at the middle of the answer, from file and architecture."""
    if build.read_bytes_per_token is None or build.kv_elements_per_token is None:
        return Estimate(value=None, unit="B", reason="the file does not tell")
    workload = case.workload
    depth = workload.depth + workload.prompt_tokens + workload.output_tokens / 2
    kv = build.kv_elements_per_token * _KV_BYTES.get(str(case.settings.get("kv")), 2.0) * depth
    return Estimate(value=build.read_bytes_per_token + kv, unit="B")


_KV_BYTES = {"f32": 4.0, "f16": 2.0, "bf16": 2.0, "q8_0": 34 / 32, "q5_1": 24 / 32, "q4_0": 18 / 32}


def _bandwidth_share(study: _Study, figures: Mapping[str, Estimate]) -> Estimate:
    device = study.run.header.device
    speed = figures.get("decode_tps") or figures.get("tg_tps")
    read = figures["read_bytes_per_token"].value
    if device.memory_bandwidth_bytes_per_s is None:
        return Estimate(value=None, unit="", reason="the bandwidth of this device is not known")
    if read is None or speed is None or speed.value is None:
        return Estimate(value=None, unit="", reason="there is no decode speed here")
    return Estimate(value=read * speed.value / device.memory_bandwidth_bytes_per_s, unit="")


def _comparisons(study: _Study, base_id: str | None) -> list[Comparison]:
    known = {case.id: case for case in study.plan.cases}
    if base_id is not None and base_id not in known:
        raise UserError(f"there is no row {base_id!r} in this run: {nearest(base_id, known)}")
    pairs = _pairs(study, known[base_id] if base_id else None)
    unlike = [(b, c) for b, c in pairs if not comparable(b, c)]
    judged = [(b, c, m) for b, c in pairs if comparable(b, c) for m in judged_metrics(b.workload.method)]
    judged = [(b, c, m) for b, c, m in judged if study.logs(m, b) and study.logs(m, c)]
    level = corrected_level(study.level, max(1, len(judged)))
    stopped = study.run.ended is not None
    return [
        compare(
            metric,
            (base, study.logs(metric, base)),
            (candidate, study.logs(metric, candidate)),
            study.builds,
            level=level,
            at_planned_stop=stopped,
        )
        for base, candidate, metric in judged
    ] + [not_comparable(base, candidate, study.builds) for base, candidate in unlike]


def _pairs(study: _Study, base: Case | None) -> list[tuple[Case, Case]]:
    if base is not None:
        return [(base, case) for case in study.measured() if case.id != base.id]
    return [(group[0], case) for group in study.groups() for case in group[1:]]


def _best(study: _Study) -> list[tuple[str, str]]:
    found = []
    for group in study.groups():
        level = corrected_level(study.level, max(1, len(group) - 1))
        shown = [m for m in PASS_METRICS if m.name in _MARKED and group[0].workload.method in m.methods]
        for metric in shown:
            leader = best(metric, {case.id: study.logs(metric, case) for case in group}, level)
            if leader is not None:
                found.append((metric.name, leader))
    return found


_MARKED = ("ttft_ms", "decode_tps", "prefill_tps", "pp_tps", "tg_tps")


def _resolution(study: _Study) -> dict[str, float]:
    """For each headline metric, the widest half-width of a ratio within a round: less does not show."""
    found: dict[str, float] = {}
    for group in study.groups():
        for metric in judged_metrics(group[0].workload.method):
            logs = [study.logs(metric, case) for case in group]
            ratios = [[c[n] - logs[0][n] for n in logs[0] if n in c] for c in logs[1:]]
            width = widest([interval(pairs, study.level) for pairs in ratios])
            if width is not None:
                found[metric.name] = max(width, found.get(metric.name, 0.0))
    return found


def _engines(cases: Sequence[Case], workers: Sequence[Worker]) -> dict[str, Any]:
    """What each engine said of itself, from its first loaded worker."""
    found: dict[str, Any] = {}
    engine_of = {case.id: case.engine for case in cases}
    for worker in workers:
        if worker.facts is not None:
            facts = dict(worker.facts.get("versions") or {}) | {"system": worker.facts.get("system")}
            found.setdefault(engine_of[worker.case], facts)
    return found


def _elapsed_s(workers: Sequence[Worker]) -> float:
    return sum(worker.ended.mono_ns - worker.started.mono_ns for worker in workers) / 1e9
