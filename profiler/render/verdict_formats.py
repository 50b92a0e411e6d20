"""The formats of a verdict, by name."""

from __future__ import annotations

from collections.abc import Callable

from profiler.analyse.shipping import Verdicts
from profiler.render import verdict_markdown, verdict_terminal
from profiler.render.json import encoded

RENDERERS: dict[str, Callable[[Verdicts], str]] = {
    "terminal": verdict_terminal.render,
    "markdown": verdict_markdown.render,
    "json": encoded,
}
