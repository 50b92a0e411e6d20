"""The report as CSV: one line for each row and metric."""

from __future__ import annotations

import csv
import io
import re

from profiler.analyse.estimate import Estimate
from profiler.analyse.report import Report, Row
from profiler.render import format as fmt

COLUMNS = (
    "row", "device", "target", "engine", "build", "quantization", "workload", "settings", "basis",
    "metric", "unit", "value", "low", "high", "level", "processes", "passes", "excluded", "reason", "failure",
    "sensor",
)  # fmt: skip

_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a spreadsheet takes for the start of a formula; the last four are their full-width forms."""

_NEXT_CELL = re.compile(rf";(?=\s*[{re.escape(''.join(_FORMULA))}])")
"""Where a spreadsheet whose language separates by semicolons would begin a formula."""


def render(report: Report) -> str:
    """Full precision, empty where a figure is absent."""
    output = io.StringIO()
    writer = csv.writer(output, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in report.rows:
        writer.writerows(lines(row))
    return output.getvalue()


def lines(row: Row) -> list[list[object]]:
    """The lines of one row: one for each metric, or one that says why it has none."""
    settings = ";".join(f"{name}={fmt.setting(value)}" for name, value in row.settings.items())
    names = [row.id, row.device, row.target, row.engine, row.build, row.quantization, row.workload, settings]
    start: list[object] = [*(inert(name or "") for name in names), row.basis]
    if row.metrics:
        return [
            [*start, name, *_figure(estimate), "", _sensor(row, estimate)]
            for name, estimate in row.metrics.items()
        ]
    failure = f"{row.failure.kind}: {row.failure.message}" if row.failure else "not measured yet"
    return [[*start, *[""] * (len(COLUMNS) - len(start) - 2), inert(failure), ""]]


def _sensor(row: Row, estimate: Estimate) -> str:
    """Source and scope beside every figure of energy or power."""
    known = estimate.unit in ("J", "W") and estimate.value is not None
    return inert(f"{row.energy.source} ({row.energy.scope})") if known and row.energy else ""


def _figure(e: Estimate) -> list[object]:
    reason = inert(e.reason or "")
    return [e.unit, e.value, e.low, e.high, e.level, e.processes, e.passes, e.excluded, reason]


def inert(text: str) -> str:
    """Text that no spreadsheet takes for a formula, wherever it parts the line."""
    shown = _NEXT_CELL.sub(";'", fmt.plain(text))
    return "'" + shown if shown.lstrip().startswith(_FORMULA) else shown
