"""Several reports as Markdown: models by devices, how to read them, and folded away what each file is."""

from __future__ import annotations

from collections.abc import Sequence

from profiler.analyse.matrix import Matrix, matrix
from profiler.analyse.source import Source
from profiler.render import below, several_words
from profiler.render.markdown import bounded, hashes, labelled, listed, section, table
from profiler.render.markdown_room import Section, fitted, folded
from profiler.render.several_tables import split, tables

MOST_DEVICES = 6
"""Columns of figures in one table; more of them would have to be scrolled."""


def render(sources: Sequence[Source]) -> str:
    """Tables and notes stand open; facts, notices and hashes of each file are folded."""
    found = matrix(sources)
    parts = [part for whole in tables(sources) for part in split(whole, MOST_DEVICES)]
    notes = listed("Notes", bounded(several_words.notes(sources)))
    return fitted(
        [
            section("title", f"## Latency by models and devices, from {several_words.counted(sources)}"),
            *(section("table", table(part), f"table of {part.title}") for part in parts),
            section("notices", "\n\n".join(notes), "notes"),
            *(_file(found, name, one) for name, one in zip(found.names, sources, strict=True)),
        ]
    )


def _file(found: Matrix, name: str, source: Source) -> Section:
    heading, report = several_words.heading(found, name, source), source.report
    parts = [
        labelled(several_words.facts(source)),
        *listed("Notices", bounded(below.notices(report))),
        f"### Builds\n\n{hashes(report)}",
    ]
    return section("settings", folded(heading, parts), f"facts of {heading}")
