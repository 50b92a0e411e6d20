"""The report as CSV: one line for each row and metric."""

from __future__ import annotations

import csv
import io

from profiler.analyse.report import Report, Row
from profiler.render import format as fmt

COLUMNS = (
    "row", "device", "target", "engine", "build", "quantization", "workload", "settings", "basis",
    "metric", "unit", "value", "low", "high", "level", "processes", "passes", "excluded", "reason", "failure",
)  # fmt: skip


def render(report: Report) -> str:
    """Full precision, empty where a figure is absent."""
    output = io.StringIO()
    writer = csv.writer(output, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in report.rows:
        writer.writerows(_lines(row))
    return output.getvalue()


def _lines(row: Row) -> list[list[object]]:
    settings = ";".join(f"{name}={fmt.setting(value)}" for name, value in row.settings.items())
    names = [row.id, row.device, row.target, row.engine, row.build, row.quantization, row.workload, settings]
    start: list[object] = [*(inert(name or "") for name in names), row.basis]
    if row.failure is not None:
        blank: list[object] = [""] * 10
        return [start + blank + [inert(f"{row.failure.kind}: {row.failure.message}")]]
    return [
        [
            *start, name, e.unit, e.value, e.low, e.high, e.level, e.processes, e.passes, e.excluded,
            inert(e.reason or ""), "",
        ]
        for name, e in row.metrics.items()
    ]  # fmt: skip


def inert(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    shown = fmt.plain(text)
    return "'" + shown if shown.startswith(("=", "+", "-", "@")) else shown
