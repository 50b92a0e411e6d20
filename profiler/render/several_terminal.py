"""Several reports for a terminal: models by devices, as many devices beside each other as there is room for."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from itertools import zip_longest

from msgspec.structs import replace
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from profiler.analyse.matrix import matrix
from profiler.analyse.source import Source
from profiler.render import below, several_words
from profiler.render import format as fmt
from profiler.render.aligned import aligned, widest
from profiler.render.columns import Cell, Table
from profiler.render.several_tables import split, tables
from profiler.render.terminal import WIDTH_WITHOUT_TERMINAL, as_text, cards, facts, listed, stories

HEADING_WIDTHS = (18, 12)
"""Where the heading of a column is broken: the second one where the first takes too much room."""

LEAST_LABEL, LONGEST_FIGURE = 8, 20
"""Characters of a device's name and of a figure, where each figure has a line of its own."""

ABSENT = "-"
_BLANK = Text("")


def render(sources: Sequence[Source], width: int = WIDTH_WITHOUT_TERMINAL) -> str:
    """The reports as plain text without colour, for files and pipes."""
    return as_text(renderable(sources, width), width)


def renderable(sources: Sequence[Source], width: int) -> RenderableType:
    """The reports for a console of this width: tables, how to read them, and below them the facts of each file."""
    found = matrix(sources)
    parts: list[RenderableType] = []
    for table in tables(sources):
        for part, lines in _fitting(table, width):
            parts += [_BLANK, Text(part.title, style="bold", overflow="fold"), _BLANK, *lines, *stories(part)]
    parts += listed("Notes", several_words.notes(sources))
    for name, source in zip(found.names, sources, strict=True):
        parts += [_BLANK, Text(several_words.heading(found, name, source), style="bold", overflow="fold")]
        parts += [Padding(facts(several_words.facts(source)), (0, 0, 0, 2))]
        notices = listed("Notices", below.notices(source.report))
        parts += [Padding(part, (0, 0, 0, 2)) for part in notices[1:]]
    return Group(*parts)


def _fitting(table: Table, width: int) -> list[tuple[Table, list[Text]]]:
    """The fewest tables that fit, their headings broken where that saves one; cards where not even one column fits."""
    for most in range(len(table.figures), 0, -1):
        parts = split(table, most)
        for heading_width in HEADING_WIDTHS:
            grids = [_grid(part, heading_width) for part in parts]
            if max(map(widest, grids)) <= width:
                return list(zip(parts, grids, strict=True))
    room = max(LEAST_LABEL, width - LONGEST_FIGURE)
    named = [(fmt.short(title, room), unit) for title, unit in table.figures]
    return [(table, cards(replace(table, figures=named)))]


def _grid(table: Table, heading_width: int) -> list[Text]:
    titles = [textwrap.wrap(title, heading_width) or [""] for title, _ in table.figures]
    high = max(map(len, titles))
    names = [
        [*_heading([title], high), *(Text(line.names[n]) for line in table.lines)]
        for n, title in enumerate(table.names)
    ]
    figures = [
        [*_heading(title, high), *_cells([line.cells[n] for line in table.lines])]
        for n, title in enumerate(titles)
    ]
    return aligned([*names, *figures])


def _heading(lines: Sequence[str], high: int) -> list[Text]:
    return [Text(line, style="dim") for line, _ in zip_longest(lines, range(high), fillvalue="")]


def _cells(cells: Sequence[Cell]) -> list[Text]:
    """One column: figures flush right, words where they are."""
    width = max((len(cell.value) for cell in cells if not cell.word), default=0)
    return [_cell(cell, width) for cell in cells]


def _cell(cell: Cell, width: int) -> Text:
    if cell.value == ABSENT:
        return Text(ABSENT.rjust(width), style="dim")
    if cell.word:
        return Text(cell.value, style="red")
    return Text(cell.value.rjust(width), style="bold").append(
        f" {cell.spread}".rstrip(), style="dim not bold"
    )
