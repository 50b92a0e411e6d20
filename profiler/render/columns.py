"""The first table: which columns it has and what stands in them. Terminal and Markdown share it.

Every text in it is plain: nothing from a run file can move the cursor.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from profiler.analyse.report import Report, Row
from profiler.render import format as fmt
from profiler.render import rows
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

SPARE = "prefill"
"""The column that goes first where there is little room: TTFT says nearly the same."""

MEASURED = "measured"
"""The basis that goes without saying."""

_TITLES = {"id": "", "quantization": "quant", "bits": "bits read"}
"""Titles that are not the field's own name. Bits read per weight tell builds of the same weights apart."""


class Cell(msgspec.Struct, frozen=True):
    """A value, its interval, and whether it is the best beyond doubt. `word` says that no figure stands there."""

    value: str
    spread: str = ""
    best: bool = False
    word: bool = False


class Line(msgspec.Struct, frozen=True):
    """One row: names and settings, then figures; or in their place a word for what happened, and the story."""

    names: list[str]
    cells: list[Cell]
    instead: str | None = None
    story: str | None = None


class Table(msgspec.Struct, frozen=True):
    """The rows of one workload. `figures` holds the title and the unit of each figure column."""

    title: str
    names: list[str]
    figures: list[tuple[str, str]]
    lines: list[Line]


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """A table, and label and text of what to know of it."""

    table: Table
    lines: list[tuple[str, str]]


def tables(report: Report) -> list[Table]:
    """One table for each workload of the run."""
    return [_table(report, workload) for workload in report.workloads]


def _table(report: Report, workload: Workload) -> Table:
    columns = HEADLINES[kind(workload)]
    fields = [
        "id",
        "build",
        *(["quantization"] if any(row.quantization for row in report.rows) else []),
        *(["bits"] if _bits_tell(report) else []),
        *rows.telling(report),
        *(["basis"] if any(row.basis != MEASURED for row in report.rows) else []),
    ]
    titles = [_TITLES.get(field, field) for field in fields]
    shown = [row for row in report.rows if row.workload == workload.id]
    stated = [column for column in columns if _has(report, shown, column[0])]
    return Table(
        title=describe(workload),
        names=[rows.bounded(name) for name in [*titles, *report.varying]],
        figures=[(title, unit) for _, title, unit in stated],
        lines=[_line(report, row, fields, [name for name, _, _ in stated]) for row in shown],
    )


def _has(report: Report, shown: Sequence[Row], metric: str) -> bool:
    """Whether a column may have figures: another tool may never state them."""
    return report.origin is None or any(row.metrics[metric].value is not None for row in shown)


def _bits_tell(report: Report) -> bool:
    """Whether engines are compared on builds that may read more or fewer bits of the same weights."""
    known = any(build.bits_read_per_weight is not None for build in report.builds)
    return known and len({row.engine for row in report.rows}) > 1


def kind(workload: Workload) -> str:
    """Which headline columns a workload has: "text", "pp" or "tg"."""
    if workload.method == "text":
        return "text"
    return "pp" if workload.prompt_tokens else "tg"


def describe(workload: Workload) -> str:
    """chat@1: 128 tokens in, 128 out."""
    name = fmt.plain(workload.id)
    if workload.method == "raw":
        depth = f" at depth {workload.depth}" if workload.depth else ""
        return f"{name}: the llama-bench method{depth}, no sampler"
    return f"{name}: {workload.prompt_tokens} tokens in, {workload.output_tokens} out"


def _line(report: Report, row: Row, fields: Sequence[str], metrics: Sequence[str]) -> Line:
    marks = [word for word in rows.marks(report, row) if word != row.basis]
    mark = f" ({', '.join(marks)})" if marks else ""
    said = {
        "build": fmt.short(short(row.build, row.quantization), rows.LONGEST - len(mark)) + mark,
        "bits": fmt.bits(row.metrics.get("bits_read_per_weight")),
    }
    told = [said[field] if field in said else getattr(row, field) or "-" for field in fields]
    names = [rows.bounded(name) for name in told]
    names += rows.settings(report, row)
    if row.failure is not None:
        return Line(names, [], fmt.plain(row.failure.kind.replace("_", " ")), fmt.plain(row.failure.message))
    if not row.metrics:
        return Line(names, [], "not measured yet")
    return Line(names, [_cell(report, row, metric) for metric in metrics])


def short(build: str, quantization: str | None) -> str:
    """The build without its quantization, which has a column of its own."""
    if not quantization:
        return build
    part = rf"[._-]{re.escape(quantization)}(?=[._-]|$)"
    return re.sub(part, "", build, flags=re.IGNORECASE) or build


def _cell(report: Report, row: Row, metric: str) -> Cell:
    estimate = row.metrics.get(metric)
    return Cell(fmt.figure(estimate), fmt.spread(estimate), (metric, row.id) in report.best)
