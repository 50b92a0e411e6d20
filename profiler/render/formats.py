"""The formats there are, by name and by suffix. A new renderer is one file and one line here."""

from __future__ import annotations

import importlib
from collections.abc import Collection, Sequence
from pathlib import Path

from profiler.analyse.report import Report
from profiler.analyse.shipping import Verdicts
from profiler.analyse.source import Source
from profiler.errors import UserError, nearest

MODULES = {
    "terminal": "profiler.render.terminal",
    "markdown": "profiler.render.markdown",
    "csv": "profiler.render.csv",
    "json": "profiler.render.json",
}
"""One report as text: the function `render` of each."""

SEVERAL = {
    "terminal": "profiler.render.several_terminal",
    "markdown": "profiler.render.several_markdown",
    "csv": "profiler.render.several_csv",
    "json": "profiler.render.several_json",
}
"""Several reports as one text: the function `render` of each takes their sources."""

DRAWN = ("html", "svg")
"""What needs the stamps of a run beside its report, and the packages of the extra `charts`."""

OF_REPORTS = (*MODULES, *DRAWN)
SUFFIXES = {
    ".txt": "terminal",
    ".md": "markdown",
    ".markdown": "markdown",
    ".csv": "csv",
    ".json": "json",
    ".html": "html",
    ".htm": "html",
    ".svg": "svg",
}


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


def render_sources(
    sources: Sequence[Source], name: str, verdicts: Verdicts | None = None, chart: str | None = None
) -> str:
    """One or several sources in any format. `chart` is the one that a picture shows; None: its first.

    Raises `UserError` where a picture needs a package that is missing.
    """
    rendered: str
    match name:
        case "html":
            rendered = importlib.import_module("profiler.render.html").render(sources, verdicts)
        case "svg":
            rendered = importlib.import_module("profiler.render.svg").render(sources, chart)
        case _ if len(sources) == 1:
            rendered = render(sources[0].report, name)
        case _:
            rendered = importlib.import_module(SEVERAL[name]).render(sources)
    return rendered
