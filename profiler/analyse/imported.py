"""Imported figures as a report: rows as those of a run, with the basis "imported", and only what was stated."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import geometric_mean

from msgspec.structs import replace

from profiler.analyse.estimate import PROMISED_LEVEL, Estimate, of_logs
from profiler.analyse.metrics import FROM_FILE, IDLE_POWER, METRICS, Metric
from profiler.analyse.notices import Notice
from profiler.analyse.percentiles import FIRST_TOKENS, GAPS
from profiler.analyse.plural import plural
from profiler.analyse.report import SCHEMA, Report, Row
from profiler.errors import UserError
from profiler.runfile import Case, varying
from profiler.runfile.imported import Imported, ImportedRow, Stated

BASIS = "imported"
CONDITIONS = (
    *("governor", "context", "assigned", "cached_share"),
    *("memory_limit_bytes", "limit_peak_bytes"),
)
"""What a measured row knows of its conditions, and an imported one does not."""

FEWEST_PROCESSES = 3
"""From so many processes on there is an interval over them, by the statistics of every other figure."""


def imported_report(document: Imported) -> Report:
    """The report of a document. Raises `UserError` for one whose parts do not fit together."""
    _check(document)
    return Report(
        schema=SCHEMA,
        edgeprof=document.edgeprof,
        run_id=document.origin.files[0].sha256[:16],
        device=document.device,
        builds=document.builds,
        sha256={},
        environment={},
        engines={row.engine: {document.origin.tool: document.origin.version} for row in document.rows},
        workloads=list({row.workload.id: row.workload for row in document.rows}.values()),
        varying=varying([_case(row) for row in document.rows]),
        rounds=0,
        passes=0,
        most_passes=0,
        cold=False,
        sustained_s=0.0,
        memory_limit_bytes=None,
        limited_by=None,
        stopped=None,
        elapsed_s=0.0,
        resolution={},
        no_sensor={},
        board=None,
        rows=[_row(document, row) for row in document.rows],
        anchors=[],
        best=[],
        comparisons=[],
        notices=[],
        origin=document.origin,
    )


def _case(row: ImportedRow) -> Case:
    return Case(
        id=row.id,
        build=row.build,
        engine=row.engine,
        target=row.target,
        settings=row.settings,
        workload=row.workload,
    )


def _row(document: Imported, row: ImportedRow) -> Row:
    build = next(build for build in document.builds if build.id == row.build)
    return Row(
        id=row.id,
        device=document.device.id,
        target=row.target,
        engine=row.engine,
        build=row.build,
        quantization=build.quantization,
        workload=row.workload.id,
        settings=row.settings,
        basis=BASIS,
        conditions=dict.fromkeys(CONDITIONS),
        metrics=_metrics(document.origin.tool, row),
        spread={},
        sustained=None,
        energy=None,
        board=None,
        notices=[Notice(code=said.code, seen=said.seen, advice=said.advice) for said in row.remarks],
        failure=None,
    )


def _metrics(tool: str, row: ImportedRow) -> dict[str, Estimate]:
    """Every metric of the method in the order of a measured row; what the tool does not state is absent."""
    found = {}
    for metric in (*METRICS.values(), *FIRST_TOKENS, *GAPS, IDLE_POWER, *FROM_FILE.values()):
        if row.workload.method in metric.methods:
            stated = row.figures.get(metric.name)
            absent = Estimate(value=None, unit=metric.unit, reason=_absent(tool, metric, row))
            found[metric.name] = _estimate(metric, stated) if stated else absent
    return found


def _absent(tool: str, metric: Metric, row: ImportedRow) -> str:
    """Why there is no such figure: the workload has none, or the tool keeps it to itself."""
    tokens = {"pp_tps": row.workload.prompt_tokens, "tg_tps": row.workload.output_tokens}
    return f"{tool} does not state it" if tokens.get(metric.name, 1) else metric.absent


def _estimate(metric: Metric, stated: Sequence[Stated]) -> Estimate:
    """The centre over processes. Repetitions inside one are no interval: the next process may lie far outside of it."""
    passes = sum(one.repetitions or 0 for one in stated)
    if len(stated) >= FEWEST_PROCESSES:
        logs = [math.log(one.value) for one in stated]
        return replace(of_logs(metric, logs, PROMISED_LEVEL), passes=passes)
    return Estimate(
        value=geometric_mean([one.value for one in stated]) if len(stated) > 1 else stated[0].value,
        unit=metric.unit,
        processes=len(stated),
        passes=passes,
        reason=_why_none(metric, stated),
    )


def _why_none(metric: Metric, stated: Sequence[Stated]) -> str:
    if len(stated) > 1:
        return f"{plural(len(stated), 'process')} have no interval yet: it takes three of them"
    one = stated[0]
    repetitions = plural(one.repetitions, "repetition") if one.repetitions else "repetitions not told"
    spread = "" if one.deviation is None else f", standard deviation {one.deviation:.3g} {metric.unit}"
    return f"one process: {repetitions}{spread}"


def _check(document: Imported) -> None:
    """A document that was changed by hand may name what is not there."""
    builds = [build.id for build in document.builds]
    ids = [row.id for row in document.rows]
    asked = {row.workload.id: row.workload for row in document.rows}
    if len({*builds}) < len(builds) or len({*ids}) < len(ids):
        raise UserError("two rows or two builds of the imported figures have one id: import them anew")
    for row in document.rows:
        unknown = [name for name in row.figures if not _is_of(name, row.workload.method)]
        places = [one.file for stated in row.figures.values() for one in stated]
        if row.build not in builds or unknown or max(places, default=0) >= len(document.origin.files):
            raise UserError(
                f"imported row {row.id} names a build, a metric or a file that is not there: import it anew"
            )
        if asked[row.workload.id] != row.workload:
            raise UserError(f"imported rows call two workloads {row.workload.id}: import them anew")


def _is_of(name: str, method: str) -> bool:
    return name in METRICS and method in METRICS[name].methods
