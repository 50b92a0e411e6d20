"""Models beside each other: the page, Markdown, text for a terminal, JSON. Each computes nothing."""

from __future__ import annotations

import importlib

from profiler.analyse.side_by_side import SideBySide
from profiler.render.json import encoded

_MODULES = {
    "terminal": "profiler.render.side_by_side.terminal",
    "markdown": "profiler.render.side_by_side.markdown",
    "html": "profiler.render.side_by_side.html",
}

FORMATS = (*_MODULES, "json")
"""What the page may be written as."""


def render(found: SideBySide, name: str) -> str:
    """The value in this format. Raises `UserError` where a page needs a package that is missing."""
    if name == "json":
        return encoded(found)
    rendered: str = importlib.import_module(_MODULES[name]).render(found)
    return rendered
