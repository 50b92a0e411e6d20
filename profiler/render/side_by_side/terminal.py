"""Models beside each other for a terminal: models one below the other, then tables, or blocks where room is short."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from profiler.analyse.side_by_side import SideBySide
from profiler.render.aligned import aligned, widest
from profiler.render.side_by_side.page import page
from profiler.render.side_by_side.view import Card, Cell, Table
from profiler.render.terminal import WIDTH_WITHOUT_TERMINAL, as_text, listed

STYLE = {"ship": "green", "skip": "red", "undecided": "yellow"}
_BLANK = Text("")


def render(found: SideBySide, width: int = WIDTH_WITHOUT_TERMINAL) -> str:
    """The page as plain text without colour, for files and pipes."""
    return as_text(renderable(found, width), width)


def renderable(found: SideBySide, width: int) -> RenderableType:
    """The page for a console of this width."""
    shown = page(found)
    parts: list[RenderableType] = [Text(shown.title, style="bold", overflow="fold")]
    parts += [Text(line, style="dim", overflow="fold") for line in (shown.question, shown.basis) if line]
    for card in shown.cards:
        parts += [_BLANK, Text(card.name, style="bold", overflow="fold"), _facts(card), *_quotes(card)]
    for table in shown.tables:
        parts += [_BLANK, Text(table.heading, style="bold", overflow="fold")]
        parts += [Text(f"  {fact}", style="dim", overflow="fold") for fact in table.facts]
        parts += _rows(table, width)
        parts += [Text(f"  {note}", style="dim", overflow="fold") for note in table.notes]
    parts += listed("Notes", shown.notes)
    return Group(*parts)


def _facts(card: Card) -> RenderableType:
    grid = RichTable.grid(padding=(0, 2, 0, 0))
    for label, text in _said(card):
        grid.add_row(Text(f"  {label}", style="dim"), text)
    return grid


def _said(card: Card) -> list[tuple[str, Text]]:
    said = [("builds", Text(card.builds, overflow="fold"))]
    if card.votes:
        text = f"{card.votes.percent} ship: {card.votes.text}; {card.votes.interval}"
        said.append(("panel", Text(text, overflow="fold")))
    said += [(fact.label, _two(fact.text, fact.detail)) for fact in card.facts]
    for verdict in card.verdicts:
        use = f"{verdict.use} {verdict.device}".strip()
        shown = Text.assemble(
            (verdict.shown, STYLE.get(verdict.word, "")), f": {verdict.why} ({verdict.basis})"
        )
        said.append((use, shown))
    return said


def _two(text: str, detail: str) -> Text:
    shown = Text(text, overflow="fold")
    return shown.append(f" ({detail})", style="dim") if detail else shown


def _quotes(card: Card) -> list[RenderableType]:
    return [
        Text(
            f'  "{quote.text}" {quote.by}' + (f", votes {quote.word}" if quote.word else ""), overflow="fold"
        )
        for quote in card.quotes
    ]


def _rows(table: Table, width: int) -> list[Text]:
    """Columns, or a block for each row where they are too wide."""
    titles = [f"{column.title}, {column.unit}" if column.unit else column.title for column in table.columns]
    columns = [
        [Text(title, style="dim"), *(_one_line(row[n]) for row in table.rows)]
        for n, title in enumerate(titles)
    ]
    lines = aligned(columns, indent=2)
    return lines if widest(lines) <= width else _blocks(table, titles)


def _one_line(cell: Cell) -> Text:
    return Text(f"{cell.text} {cell.detail}".strip(), style=STYLE.get(cell.word, ""))


def _blocks(table: Table, titles: Sequence[str]) -> list[Text]:
    lines: list[Text] = []
    for row in table.rows:
        lines.append(Text(f"  {_one_line(row[0])}, {_one_line(row[1])}", style="underline", overflow="fold"))
        named = zip(titles[2:], row[2:], strict=True)
        lines += [
            Text(f"    {title}: ", style="dim", overflow="fold").append_text(_one_line(cell))
            for title, cell in named
        ]
    return lines
