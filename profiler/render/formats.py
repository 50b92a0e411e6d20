"""The formats there are, by name and by suffix. A new renderer is one file and one line here."""

from __future__ import annotations

import importlib
from collections.abc import Collection
from pathlib import Path

from profiler.analyse.report import Report
from profiler.errors import UserError, nearest

MODULES = {
    "terminal": "profiler.render.terminal",
    "markdown": "profiler.render.markdown",
    "csv": "profiler.render.csv",
    "json": "profiler.render.json",
}
SUFFIXES = {".txt": "terminal", ".md": "markdown", ".markdown": "markdown", ".csv": "csv", ".json": "json"}


def chosen(name: str | None, output: Path | None, accepted: Collection[str] = tuple(MODULES)) -> str:
    """The format asked for, or the one that the output file's suffix says, or the terminal."""
    if name is not None:
        if name not in accepted:
            raise UserError(f"there is no format {name!r}: {nearest(name, accepted)}")
        return name
    if output is None:
        return "terminal"
    found = SUFFIXES.get(output.suffix.lower())
    if found is None or found not in accepted:
        known = ", ".join(suffix for suffix, format in SUFFIXES.items() if format in accepted)
        raise UserError(f"{output.name}: its suffix names no format; use one of {known}, or say it with -f")
    return found


def render(report: Report, name: str) -> str:
    """The report in this format, as text."""
    rendered: str = importlib.import_module(MODULES[name]).render(report)
    return rendered
