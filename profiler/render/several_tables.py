"""Models by devices as tables, one for each workload and headline metric. Every text in them is plain."""

from __future__ import annotations

from collections.abc import Sequence

from profiler.analyse.matrix import NOT_THERE, Entry, Family, Grid, Matrix, Place, matrix
from profiler.analyse.source import Source
from profiler.render import format as fmt
from profiler.render import rows
from profiler.render.columns import HEADLINES, MEASURED, SPARE, Cell, Line, Table, describe, kind, short

LONGEST_MACHINE, LONGEST_FILE = 48, 32
"""Of what heads a column; the list of sources has the whole names."""

Headline = tuple[str, str, str]
"""Metric, title and unit."""


def tables(sources: Sequence[Source]) -> list[Table]:
    """Models in lines, devices in columns. A failure is told in its word, and its story below the first table."""
    found = matrix(sources)
    return [table for grid in found.grids for table in _tables(found, grid)]


def split(table: Table, most: int) -> list[Table]:
    """The same lines with at most so many columns of figures in each table."""
    total = len(table.figures)
    parts = -(-total // most)
    size = -(-total // parts)
    return [_part(table, n * size, (n + 1) * size, f"{n + 1} of {parts}") for n in range(parts)]


def _part(table: Table, start: int, end: int, turn: str) -> Table:
    if end - start >= len(table.figures):
        return table
    return Table(
        title=f"{table.title} ({turn})",
        names=table.names,
        figures=table.figures[start:end],
        lines=[
            Line(line.names, line.cells[start:end], story=None if start else line.story)
            for line in table.lines
        ],
    )


def _tables(found: Matrix, grid: Grid) -> list[Table]:
    """The tables of one workload; columns are the places that have any row of it."""
    places = [n for n in range(len(found.places)) if any(entries[n].row for entries in grid.entries)]
    stories = [_story(found, entries) for entries in grid.entries]
    return [
        Table(
            title=f"{_titled(title, unit)}, {_asked(found, grid)}",
            names=_names(found, grid),
            figures=[(_heading(found, found.places[n], _basis(grid, n)), "") for n in places],
            lines=[
                Line(
                    _named(found, grid, family),
                    [_cell(entries[n], metric, _basis(grid, n)) for n in places],
                    story=None if number else story,
                )
                for family, entries, story in zip(grid.families, grid.entries, stories, strict=True)
            ],
        )
        for number, (metric, title, unit) in enumerate(_with_figures(grid))
    ]


def _titled(title: str, unit: str) -> str:
    return f"{title} in {unit}" if unit else title


def _basis(grid: Grid, column: int) -> str:
    """What all figures of a column are where they are not measured: its heading says so for all of them."""
    bases = {entries[column].basis for entries in grid.entries if entries[column].row}
    return next((basis for basis in bases if basis and len(bases) == 1), MEASURED)


def _with_figures(grid: Grid) -> list[Headline]:
    """The headlines that any row has; the first one where none has any, for the failures."""
    every = [headline for headline in HEADLINES[kind(grid.workload)] if headline[1] != SPARE]
    entries = [entry for line in grid.entries for entry in line]
    known = {name for entry in entries for name, figure in entry.figures.items() if figure.value is not None}
    return [headline for headline in every if headline[0] in known] or every[:1]


def _asked(found: Matrix, grid: Grid) -> str:
    """The workload; with the hash of its text where another one is called the same."""
    alike = [one.workload for one in found.grids if one.workload.id == grid.workload.id]
    text = fmt.short(fmt.plain(grid.workload.text_sha256 or "not known"), 12)
    return describe(grid.workload) + (f", text {text}" if len(alike) > 1 else "")


def heading(found: Matrix, place: Place) -> str:
    """What a column is called: the machine; target and file where they tell it from others."""
    machine = fmt.short(fmt.plain(place.machine), LONGEST_MACHINE)
    several = len({other.target for other in found.places}) > 1
    target = f", {fmt.short(fmt.plain(place.target), LONGEST_FILE)}" if several else ""
    file = f" ({fmt.short(fmt.plain(place.file), LONGEST_FILE)})" if place.file is not None else ""
    return machine + target + file


def _heading(found: Matrix, place: Place, basis: str) -> str:
    return heading(found, place) + ("" if basis == MEASURED else f", {fmt.plain(basis)}")


def _names(found: Matrix, grid: Grid) -> list[str]:
    columns = ["build", *_telling(grid), *_settings(found, grid)]
    return [rows.bounded({"quantization": "quant"}.get(name, name)) for name in columns]


def _telling(grid: Grid) -> list[str]:
    """Quantization and engine, where they tell lines apart."""
    quantized = ["quantization"] if any(family.quantization for family in grid.families) else []
    return [*quantized, *(["engine"] if len({family.engine for family in grid.families}) > 1 else [])]


def _settings(found: Matrix, grid: Grid) -> list[str]:
    return [name for name in found.varying if any(name in family.settings for family in grid.families)]


def _named(found: Matrix, grid: Grid, family: Family) -> list[str]:
    said = {"quantization": family.quantization or "-", "engine": family.engine}
    settings = [
        rows.bounded(fmt.setting(family.settings[name])) if name in family.settings else "-"
        for name in _settings(found, grid)
    ]
    return [_build(family), *(rows.bounded(said[name]) for name in _telling(grid)), *settings]


def _build(family: Family) -> str:
    content = f" ({family.content})" if family.content else ""
    turn = f" ({family.turn})" if family.turn > 1 else ""
    return rows.bounded(short(family.build, family.quantization)) + fmt.plain(content + turn)


def _cell(entry: Entry, metric: str, shared: str) -> Cell:
    """A figure, what it is where the heading does not say that, or a word."""
    if entry.failure is not None:
        return Cell(fmt.plain(entry.failure.kind.replace("_", " ")), word=True)
    if entry.reason is not None:
        return Cell("-" if entry.reason == NOT_THERE else entry.reason, word=True)
    figure = entry.figures.get(metric)
    if figure is None or figure.value is None:
        return Cell("-", word=True)
    basis = fmt.plain(entry.basis or "") if entry.basis not in (MEASURED, shared) else ""
    return Cell(fmt.figure(figure), f"{fmt.spread(figure)} {basis}".strip())


def _story(found: Matrix, entries: Sequence[Entry]) -> str | None:
    """What went wrong, at each place where something did."""
    told = [
        f"{heading(found, found.places[n])}: {fmt.plain(entry.failure.message)}"
        for n, entry in enumerate(entries)
        if entry.failure is not None
    ]
    return "; ".join(told) or None
