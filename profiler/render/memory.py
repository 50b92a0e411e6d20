"""What memory is for, as one more table: parts that add up to the proportional set size."""

from __future__ import annotations

from profiler.analyse.report import Report, Row
from profiler.render import format as fmt
from profiler.render.columns import Cell, Line, Table

TITLE = "Memory in MiB, parts of one moment: they add up to PSS = private + files"
SWAPPED = (("swapped_bytes", "swapped", ""),)
"""A column more where anything is swapped out: it is in the parts and not in PSS."""

MIB = 2**20
FIGURES = (
    ("weights_bytes", "weights", ""),
    ("kv_bytes", "KV", ""),
    ("compute_bytes", "compute", ""),
    ("runtime_bytes", "runtime", ""),
    ("unexplained_bytes", "unexplained", ""),
    ("pss_bytes", "PSS", ""),
    ("anon_bytes", "private", ""),
    ("file_bytes", "files", ""),
)
"""Metric, title and unit of each column."""


def tables(report: Report) -> list[Table]:
    """One table of the rows whose parts are known; none where that is so for no row."""
    shown = [row for row in report.rows if row.metrics and row.metrics["weights_bytes"].processes]
    swapped = any(row.metrics["swapped_bytes"].value for row in shown)
    figures = FIGURES + (SWAPPED if swapped else ())
    table = Table(
        title=TITLE + (", and what is swapped out" if swapped else ""),
        names=[""],
        figures=[(title, unit) for _, title, unit in figures],
        lines=[
            Line([fmt.plain(row.id)], [Cell(_figure(row, metric)) for metric, _, _ in figures])
            for row in shown
        ],
    )
    return [table] if shown else []


def _figure(row: Row, metric: str) -> str:
    """What is left unexplained has its share of PSS beside it."""
    value = row.metrics[metric].value
    shown = "-" if value is None else f"{value / MIB:.1f}"
    left, whole = row.metrics["unexplained_bytes"].value, row.metrics["pss_bytes"].value
    if metric != "unexplained_bytes" or left is None or not whole:
        return shown
    return f"{shown} ({'-' if left < 0 else ''}{fmt.percent(abs(left) / whole)})"
