"""Predictions as Markdown, for a pull request or a page. No name in it can be anything but text."""

from __future__ import annotations

from profiler.predicting.prediction import Predictions
from profiler.render import predicted_fits
from profiler.render import predicted_words as words
from profiler.render.markdown import escape, grid, labelled, listed, table

_TITLES = ["limit", "predicted", "range", "word", "rests on"]
_RULE = ["---", "---:", "---", "---", "---"]


def render(document: Predictions, fits: bool) -> str:
    """Tables, verdicts by limits, and what all of it rests on."""
    found = document.predictions
    parts = [f"## {escape(words.title(found))}"]
    if fits:
        parts += [
            table(predicted_fits.table(found)),
            *listed("Nothing fits of", predicted_fits.without(found)),
        ]
        return (
            "\n\n".join([*parts, labelled([("Order", predicted_fits.ORDER), *words.facts_of_fits(found)])])
            + "\n"
        )
    parts += map(table, words.tables(found))
    for name, verdict in words.verdicts(found):
        rows = [[escape(cell) for cell in row] for row in words.limit_rows(verdict)]
        parts += [f"### {verdict.word.upper()}, predicted: {escape(name)}, {escape(verdict.workload)}"]
        parts += [grid([_TITLES, _RULE, *rows])] if rows else []
    return "\n\n".join([*parts, labelled(words.facts(found))]) + "\n"
