"""The report for a terminal: a table where there is room, a card for each row where there is not."""

from __future__ import annotations

import io
from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text

from profiler.analyse.report import Report
from profiler.render import below, board, cold, energy, memory, percentiles, prediction, profile, sustained
from profiler.render.aligned import aligned, widest
from profiler.render.columns import SPARE, Cell, Line, Table, tables

WIDTH_WITHOUT_TERMINAL = 110
LONGEST_TEXT = 10_000
"""Characters of one text: laying out megabytes takes minutes, and other formats have all of it."""
VERDICT_STYLE = {"better": "green", "worse": "red", "same": "cyan"}
_BLANK = Text("")


def render(report: Report, width: int = WIDTH_WITHOUT_TERMINAL) -> str:
    """The report as plain text without colour, for files and pipes."""
    return as_text(renderable(report, width), width)


def as_text(part: RenderableType, width: int) -> str:
    """What a console of this width shows, without colour."""
    output = io.StringIO()
    console = Console(file=output, width=width, color_system=None, legacy_windows=False)
    console.print(part)
    lines = output.getvalue().strip("\n").splitlines()
    return "".join(line.rstrip() + "\n" for line in lines)


def renderable(report: Report, width: int) -> RenderableType:
    """The report for a console of this width."""
    parts: list[RenderableType] = []
    for table in [*tables(report), *cold.tables(report), *memory.tables(report)]:
        parts += [_BLANK, Text(table.title, style="bold"), _BLANK, *_rows(table, width), *stories(table)]
    for one in [*energy.sections(report), *prediction.sections(report), *profile.sections(report)]:
        parts += [_BLANK, Text(one.table.title, style="bold"), _BLANK, *_rows(one.table, width)]
        parts += [_BLANK, facts(one.lines)]
    for course in sustained.courses(report):
        parts += [_BLANK, Text(course.heading, style="bold"), facts(course.lines)]
    parts += [_BLANK, facts(below.facts(report))]
    for heading, ratios in below.comparisons(report):
        parts += [_BLANK, Text(heading, style="dim"), *_ratios(ratios, width)]
    parts += listed("Undecided", below.undecided(report))
    for section in percentiles.sections(report):
        parts += [_BLANK, Text(section.heading, style="dim", overflow="fold")]
        parts += _percentiles(section, width)
    if state := board.lines(report):
        parts += [_BLANK, Text(board.HEADING, style="dim"), Padding(facts(state), (0, 0, 0, 2))]
    parts += listed("Agreement", below.agreements(report))
    parts += listed("Notices", below.notices(report))
    return Group(*parts)


def _rows(table: Table, width: int) -> list[Text]:
    """All columns, or all but the spare one, or cards: whatever fits first."""
    every = range(len(table.figures))
    for shown in (every, [n for n in every if table.figures[n][0] != SPARE]):
        lines = _grid(table, shown)
        if widest(lines) <= width:
            return lines
    return cards(table)


def titled(table: Table, width: int) -> list[RenderableType]:
    """A table below its title, and what went wrong in the rows without figures."""
    return [_BLANK, Text(table.title, style="bold"), _BLANK, *_rows(table, width), *stories(table)]


def _grid(table: Table, shown: Sequence[int]) -> list[Text]:
    names = [
        [Text(title, style="dim"), _BLANK, *(Text(line.names[n]) for line in table.lines)]
        for n, title in enumerate(table.names)
    ]
    figures = [
        [*(Text(part, style="dim") for part in table.figures[n]), *_figures(table.lines, n)] for n in shown
    ]
    lines = aligned([*names, *figures])
    has_units = any(unit for _, unit in table.figures)
    return lines if has_units else [lines[0], *lines[2:]]


def _figures(lines: Sequence[Line], n: int) -> list[Text]:
    """One column of figures, the values flush right; what happened instead of them stands in the first."""
    width = max((len(line.cells[n].value) for line in lines if line.cells), default=0)
    return [_figure(line.cells[n], width) if line.cells else _instead(line, n) for line in lines]


def _figure(cell: Cell, width: int) -> Text:
    text = Text(cell.value.rjust(width), style="bold green" if cell.best else "bold")
    shown = Text().append_text(text)
    if cell.spread:
        shown.append(f" {cell.spread}", style="dim")
    if cell.best:
        shown.append(" best", style="bold green")
    return shown


def _instead(line: Line, n: int) -> Text:
    return Text(line.instead or "", style="red") if n == 0 else _BLANK


def stories(table: Table) -> list[RenderableType]:
    """What went wrong in the rows without figures."""
    told = [(line, line.story) for line in table.lines if line.story]
    shown = [_folded(f"{line.names[0]}: {story}", "red") for line, story in told]
    return [_BLANK, *shown] if shown else []


def cards(table: Table) -> list[Text]:
    """One short block for each row: names on one line, each figure on its own."""
    labels = [f"{title}, {unit}" if unit else title for title, unit in table.figures]
    lines: list[Text] = []
    for line in table.lines:
        named = zip(table.names[2:], line.names[2:], strict=True)
        title = [" ".join(line.names[:2]), *(f"{name} {value}" for name, value in named)]
        lines.append(Text(", ".join(title), style="underline", overflow="fold"))
        lines += _card(labels, line)
    return lines


def _card(labels: Sequence[str], line: Line) -> list[Text]:
    if not line.cells:
        return [Text(f"  {line.instead}", style="red")]
    width = max(len(cell.value) for cell in line.cells)
    figures = [_figure(cell, width) for cell in line.cells]
    return aligned([[Text(label, style="dim") for label in labels], figures], indent=2)


def facts(told: Sequence[tuple[str, str]]) -> RenderableType:
    """Label and text of each fact, one below the other."""
    grid = RichTable.grid(padding=(0, 2, 0, 0))
    for label, text in told:
        grid.add_row(Text(label, style="dim"), _folded(text))
    return grid


def _folded(text: str, style: str = "") -> Text:
    """Text over several lines, cut where it is far too long for a screen."""
    more = len(text) - LONGEST_TEXT
    shown = f"{text[:LONGEST_TEXT]}... and {more} more characters" if more > 0 else text
    return Text(shown, style=style, overflow="fold")


def _ratios(ratios: Sequence[below.Ratio], width: int) -> list[Text]:
    """A line for each ratio; where there is little room, the row it is of stands above."""
    firsts = [n == 0 or ratio.row != ratios[n - 1].row for n, ratio in enumerate(ratios)]
    names = [Text(ratio.row if first else "") for ratio, first in zip(ratios, firsts, strict=True)]
    figures = [
        [Text(ratio.metric) for ratio in ratios],
        [Text(ratio.ratio, style="bold") for ratio in ratios],
        [Text(ratio.interval, style="dim") for ratio in ratios],
        [Text(ratio.verdict, style=VERDICT_STYLE.get(ratio.verdict, "")) for ratio in ratios],
    ]
    lines = aligned([names, *figures], indent=2)
    if widest(lines) <= width:
        return lines
    below_name = zip(names, aligned(figures, indent=4), strict=True)
    return [part for name, line in below_name for part in ([Text("  ") + name, line] if name else [line])]


def _percentiles(section: percentiles.Section, width: int) -> list[Text]:
    """A line for each row; where there is little room, values without their spreads."""
    full = _figures_of(section, [[str(cell) for cell in cells] for _, cells in section.lines])
    if widest(full) <= width:
        return full
    return _figures_of(section, [[cell.value for cell in cells] for _, cells in section.lines])


def _figures_of(section: percentiles.Section, lines: Sequence[Sequence[str]]) -> list[Text]:
    ids = [_BLANK, *(Text(row) for row, _ in section.lines)]
    columns = zip(section.titles, zip(*lines, strict=True), strict=True)
    return aligned(
        [ids, *([Text(title, style="dim"), *map(Text, cells)] for title, cells in columns)], indent=2
    )


def listed(title: str, lines: Sequence[str]) -> list[RenderableType]:
    """A title and its lines; nothing where there are none."""
    if not lines:
        return []
    bullets = [Padding(_folded(line), (0, 0, 0, 2)) for line in lines]
    return [_BLANK, Text(title, style="dim"), *bullets]
