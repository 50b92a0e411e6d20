"""The formats of a comparison, by name."""

from __future__ import annotations

from collections.abc import Callable

from profiler.analyse.compared import Compared
from profiler.render import compared_markdown, compared_terminal
from profiler.render.json import encoded

RENDERERS: dict[str, Callable[[Compared], str]] = {
    "terminal": compared_terminal.render,
    "markdown": compared_markdown.render,
    "json": encoded,
}
