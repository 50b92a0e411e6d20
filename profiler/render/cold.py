"""Cold starts beside what the same processes do once they are warm, as one more table."""

from __future__ import annotations

from profiler.analyse.report import Report, Row
from profiler.render import format as fmt
from profiler.render import rows
from profiler.render.columns import Cell, Line, Table, describe
from profiler.runfile import Workload

_LOAD = ("cold_load_ms", "cold load", "ms")
FIGURES = {
    "text": (
        _LOAD,
        ("cold_first_ttft_ms", "cold first token", "ms"),
        ("cold_start_ms", "with import", "ms"),
        ("ttft_ms", "warm TTFT", "ms"),
    ),
    "raw": (_LOAD,),
}
"""Metric, title and unit of each column, by method. "With import" is all of a start: library, loading, first token."""


def tables(report: Report) -> list[Table]:
    """One table for each workload of a run with cold starts; none for other runs."""
    return [_table(report, workload) for workload in report.workloads] if report.cold else []


def _table(report: Report, workload: Workload) -> Table:
    figures = FIGURES[workload.method]
    names = rows.names(report)
    shown = [row for row in report.rows if row.workload == workload.id and row.metrics]
    return Table(
        title=f"{describe(workload)}: started in a new process, nothing of the build in the page cache",
        names=["", "build"],
        figures=[(title, unit) for _, title, unit in figures],
        lines=[_line(row, names[row.id], [metric for metric, _, _ in figures]) for row in shown],
    )


def _line(row: Row, name: str, metrics: list[str]) -> Line:
    start = row.metrics[_LOAD[0]]
    if start.value is None:
        return Line([fmt.plain(row.id), name], [], "not cold", fmt.plain(start.reason or ""))
    cells = [Cell(fmt.figure(row.metrics[metric]), fmt.spread(row.metrics[metric])) for metric in metrics]
    return Line([fmt.plain(row.id), name], cells)
