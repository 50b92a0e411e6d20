"""The report for a terminal: a table where there is room, a card for each row where there is not."""

from __future__ import annotations

import io
from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text

from profiler.analyse.report import Report
from profiler.render import below
from profiler.render.columns import Cell, Line, Table, tables

WIDTH_WITHOUT_TERMINAL = 110
WIDE = 80
_VERDICT_STYLE = {"better": "green", "worse": "red", "same": "cyan"}


def render(report: Report) -> str:
    """The report as plain text without colour, for files and pipes."""
    console = Console(
        file=io.StringIO(), width=WIDTH_WITHOUT_TERMINAL, color_system=None, legacy_windows=False
    )
    console.print(renderable(report, WIDTH_WITHOUT_TERMINAL))
    output = console.file
    assert isinstance(output, io.StringIO)
    return "".join(line.rstrip() + "\n" for line in output.getvalue().splitlines())


def renderable(report: Report, width: int) -> RenderableType:
    """The report for a console of this width."""
    parts: list[RenderableType] = []
    for table in tables(report):
        grid = _grid(table)
        fits = Console(width=10_000).measure(grid).maximum <= width
        parts += [Text(""), Text(table.title, style="bold"), grid if fits else _cards(table)]
    parts += [Text(""), _facts(below.facts(report))]
    for heading, ratios in below.comparisons(report):
        parts += [Text(""), Text(heading, style="dim"), _ratios(ratios, width)]
    parts += _section("Notices", below.notices(report))
    return Group(*parts)


def _grid(table: Table) -> RenderableType:
    grid = RichTable(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    for name in table.names:
        grid.add_column(name, no_wrap=True)
    for title, unit in table.figures:
        grid.add_column(f" {title}\n {unit}" if unit else f" {title}", justify="right", no_wrap=True)
        grid.add_column("", justify="left", no_wrap=True)
    for line in table.lines:
        grid.add_row(*_grid_row(line, len(table.figures)))
    failures = [line for line in table.lines if line.failure]
    if not failures:
        return grid
    return Group(grid, *(Padding(_failure(line), (0, 0, 0, 2)) for line in failures))


def _grid_row(line: Line, figures: int) -> list[Text]:
    names = [Text(name) for name in line.names]
    if line.failure:
        return names + [Text("failed", style="red"), Text("")] + [Text("")] * (2 * figures - 2)
    return names + [part for cell in line.cells for part in _parts(cell)]


def _parts(cell: Cell) -> list[Text]:
    beside = Text(cell.spread, style="dim")
    if cell.best:
        beside.append(" best" if cell.spread else "best", style="bold green")
    return [Text(cell.value, style="bold green" if cell.best else "bold"), beside]


def _failure(line: Line) -> Text:
    return Text(f"{', '.join(line.names)}: {line.failure}", style="red")


def _cards(table: Table) -> RenderableType:
    """One short block for each row: names on one line, each figure on its own."""
    blocks: list[RenderableType] = []
    for line in table.lines:
        named = zip(table.names[3:], line.names[3:], strict=True)
        title = [" ".join(line.names[:2]), line.names[2], *(f"{name} {value}" for name, value in named)]
        blocks.append(Text(", ".join(title), style="underline", overflow="fold"))
        blocks.append(_failure(line) if line.failure else _card(table.figures, line.cells))
    return Group(*blocks)


def _card(figures: Sequence[tuple[str, str]], cells: Sequence[Cell]) -> RenderableType:
    card = RichTable.grid(padding=(0, 2, 0, 0))
    for (title, unit), cell in zip(figures, cells, strict=True):
        label = f"  {title}, {unit}" if unit else f"  {title}"
        card.add_row(Text(label, style="dim"), *_parts(cell))
    return card


def _facts(facts: Sequence[tuple[str, str]]) -> RenderableType:
    grid = RichTable.grid(padding=(0, 2, 0, 0))
    for label, text in facts:
        grid.add_row(Text(label, style="dim"), Text(text, overflow="fold"))
    return grid


def _ratios(ratios: Sequence[below.Ratio], width: int) -> RenderableType:
    """A line for each comparison, or two where there is little room."""
    grid = RichTable.grid(padding=(0, 2, 0, 0))
    for ratio in ratios:
        style = _VERDICT_STYLE.get(ratio.verdict, "")
        interval = Text(ratio.interval, style="dim")
        verdict = Text(ratio.verdict, style=style)
        names = [Text("  " + ratio.row), Text(ratio.metric)]
        figures = [Text(ratio.ratio, style="bold"), interval, verdict]
        if width >= WIDE:
            grid.add_row(*names, *figures)
        else:
            grid.add_row(*names, figures[0], verdict)
            grid.add_row("", "", interval, "")
    return grid


def _section(title: str, lines: Sequence[str]) -> list[RenderableType]:
    if not lines:
        return []
    bullets = [Padding(Text(line, overflow="fold"), (0, 0, 0, 2)) for line in lines]
    return [Text(""), Text(title, style="dim"), *bullets]
