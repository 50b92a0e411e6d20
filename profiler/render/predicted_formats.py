"""The formats of predictions, by name. Each takes the document, and whether it answers what fits."""

from __future__ import annotations

from collections.abc import Callable

from profiler.predicting.prediction import Predictions
from profiler.render import predicted_markdown, predicted_terminal
from profiler.render.json import encoded


def _json(document: Predictions, _fits: bool) -> str:
    return encoded(document)


RENDERERS: dict[str, Callable[[Predictions, bool], str]] = {
    "terminal": predicted_terminal.render,
    "markdown": predicted_markdown.render,
    "json": _json,
}
