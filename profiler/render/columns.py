"""The first table: which columns it has and what stands in them. Terminal and Markdown share it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from profiler.analyse.report import Report, Row
from profiler.render import format as fmt
from profiler.runfile import Workload

HEADLINES = {
    "text": (
        ("ttft_ms", "TTFT", "ms"),
        ("decode_tps", "decode", "tok/s"),
        ("prefill_tps", "prefill", "tok/s"),
        ("peak_rss_bytes", "peak memory", ""),
    ),
    "pp": (("pp_tps", "pp", "tok/s"), ("peak_rss_bytes", "peak memory", "")),
    "tg": (("tg_tps", "tg", "tok/s"), ("peak_rss_bytes", "peak memory", "")),
}
"""Metric, title and unit of each figure column, by kind of workload."""


class Cell(msgspec.Struct, frozen=True):
    """A value, its interval, and whether it is the best beyond doubt."""

    value: str
    spread: str = ""
    best: bool = False


class Line(msgspec.Struct, frozen=True):
    """One row: names and settings, then figures; or names and a failure."""

    names: list[str]
    cells: list[Cell]
    failure: str | None = None


class Table(msgspec.Struct, frozen=True):
    """The rows of one workload. `figures` holds the title and the unit of each figure column."""

    title: str
    names: list[str]
    figures: list[tuple[str, str]]
    lines: list[Line]


def tables(report: Report) -> list[Table]:
    """One table for each workload of the run."""
    return [_table(report, workload) for workload in report.workloads]


def _table(report: Report, workload: Workload) -> Table:
    rows = [row for row in report.rows if row.workload == workload.id]
    columns = HEADLINES[kind(workload)]
    engines = len({row.engine for row in report.rows}) > 1
    names = ["", "build", "quant", *(["engine"] if engines else []), *report.varying]
    return Table(
        title=describe(workload),
        names=names,
        figures=[(title, unit) for _, title, unit in columns],
        lines=[_line(report, row, [name for name, _, _ in columns], engines) for row in rows],
    )


def kind(workload: Workload) -> str:
    """Which headline columns a workload has: "text", "pp" or "tg"."""
    if workload.method == "text":
        return "text"
    return "pp" if workload.prompt_tokens else "tg"


def describe(workload: Workload) -> str:
    """chat@1: 128 tokens in, 128 out."""
    depth = f" at depth {workload.depth}" if workload.depth else ""
    if workload.method == "raw":
        return f"{workload.id}: the llama-bench method{depth}, no sampler"
    return f"{workload.id}: {workload.prompt_tokens} tokens in, {workload.output_tokens} out"


def _line(report: Report, row: Row, metrics: Sequence[str], engines: bool) -> Line:
    names = [row.id, fmt.plain(row.build), fmt.plain(row.quantization or "-")]
    names += [row.engine] if engines else []
    names += [fmt.setting(row.settings.get(name)) for name in report.varying]
    if row.failure is not None:
        return Line(names, [], f"{row.failure.kind}: {fmt.plain(row.failure.message)}")
    if not row.metrics:
        return Line(names, [], "not measured yet")
    cells = [
        Cell(fmt.figure(row.metrics.get(m)), fmt.spread(row.metrics.get(m)), (m, row.id) in report.best)
        for m in metrics
    ]
    return Line(names, cells)
