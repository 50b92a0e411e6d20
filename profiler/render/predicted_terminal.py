"""Predictions for a terminal: memory and whether it fits, speeds, the limits, and what all of it rests on."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from profiler.predicting.prediction import Prediction, Predictions
from profiler.render import predicted_fits
from profiler.render import predicted_words as words
from profiler.render.aligned import aligned
from profiler.render.columns import Table
from profiler.render.terminal import WIDTH_WITHOUT_TERMINAL, as_text, facts, listed, titled

_STYLE = {"ship": "green", "skip": "red", "undecided": "yellow"}
_BLANK = Text("")


def render(document: Predictions, fits: bool, width: int = WIDTH_WITHOUT_TERMINAL) -> str:
    """The predictions as plain text without colour, for files and pipes."""
    return as_text(renderable(document, fits, width), width)


def renderable(document: Predictions, fits: bool, width: int) -> RenderableType:
    """The predictions for a console of this width; with `fits` one table of what fits."""
    found = document.predictions
    parts: list[RenderableType] = [Text(words.title(found), style="bold", overflow="fold")]
    for table in [predicted_fits.table(found)] if fits else words.tables(found):
        parts += _table(table, width)
    if fits:
        parts += listed(
            "Nothing fits of",
            [", ".join(predicted_fits.without(found))] if predicted_fits.without(found) else [],
        )
        parts += listed("Order", [predicted_fits.ORDER])
        return Group(*parts, _BLANK, facts(words.facts_of_fits(found)))
    parts += _verdicts(found)
    return Group(*parts, _BLANK, facts(words.facts(found)))


def _table(table: Table, width: int) -> list[RenderableType]:
    if not table.lines:
        return [_BLANK, Text("nothing fits")]
    return titled(table, width)


def _verdicts(found: Sequence[Prediction]) -> list[RenderableType]:
    parts: list[RenderableType] = []
    for name, verdict in words.verdicts(found):
        said = Text(f"{verdict.word.upper()}, predicted", style=f"bold {_STYLE[verdict.word]}")
        parts += [_BLANK, said.append(f"  {name}, {verdict.limits}, {verdict.workload}", style="bold")]
        rows = words.limit_rows(verdict)
        parts += aligned([[Text(row[n]) for row in rows] for n in range(4)], indent=2) if rows else []
        parts += [Text(f"  {row[0]}: {row[4]}", style="dim", overflow="fold") for row in rows]
    return parts
