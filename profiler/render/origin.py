"""Where imported figures come from: the tool, its version, its files, and what of it was refused."""

from __future__ import annotations

from profiler.analyse.plural import plural
from profiler.analyse.report import Report
from profiler.runfile.imported import Origin

MOST_NAMED = 8


def facts(report: Report, origin: Origin) -> list[tuple[str, str]]:
    """Label and text of each fact, in place of those about rounds and passes."""
    return [
        ("Imported", f"from {origin.tool}, {origin.version}, not measured here: {_files(origin)}"),
        *(("Taken over", f"{name}: {text}") for name, text in origin.taken.items()),
        ("Intervals", _intervals(report)),
        *(("Not imported", text) for text in refusals(origin)),
    ]


def refusals(origin: Origin) -> list[str]:
    """What was not taken over and why; fields with one reason in one line."""
    reasons: dict[str, list[str]] = {}
    for refused in origin.refused:
        reasons.setdefault(refused.reason, []).append(refused.what)
    return [f"{', '.join(fields)}: {reason}" for reason, fields in reasons.items()]


def _files(origin: Origin) -> str:
    named = [f"{file.name} (sha256 {file.sha256[:12]})" for file in origin.files[:MOST_NAMED]]
    more = len(origin.files) - len(named)
    return ", ".join([*named, *([f"{plural(more, 'more file')}"] if more else [])])


def _intervals(report: Report) -> str:
    """Of the rows that have none the reasons, each once."""
    cells = [(r.id, cell) for r in report.rows for cell in r.metrics.values() if cell.value is not None]
    none = dict.fromkeys(f"{row} ({cell.reason})" for row, cell in cells if cell.low is None and cell.reason)
    shown = [*list(none)[:MOST_NAMED], *(["..."] if len(none) > MOST_NAMED else [])]
    found = (
        ["95% over processes, with what the machine did between them"]
        if any(cell.low for _, cell in cells)
        else []
    )
    return "; ".join([*found, *([f"none for {', '.join(shown)}"] if shown else [])])
