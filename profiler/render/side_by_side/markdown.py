"""Models beside each other as Markdown, for a verdict page."""

from __future__ import annotations

from collections.abc import Sequence

from profiler.analyse.side_by_side import SideBySide
from profiler.render.markdown import escape, grid, listed
from profiler.render.side_by_side.page import page
from profiler.render.side_by_side.view import Card, Cell, Table


def render(found: SideBySide) -> str:
    """Title, a table with one column for each model, quotes, tables, notes."""
    shown = page(found)
    parts = [f"## {escape(shown.title)}", escape(shown.question), escape(shown.basis)]
    parts += [_models(shown.cards), *_quotes(shown.cards), *map(_table, shown.tables)]
    parts += listed("Notes", shown.notes)
    return "\n\n".join(part for part in parts if part) + "\n"


def _models(cards: Sequence[Card]) -> str:
    rows = [["", *(escape(card.name) for card in cards)], ["---"] * (len(cards) + 1)]
    rows += [["builds", *(escape(card.builds) for card in cards)]]
    if any(card.votes for card in cards):
        rows += [["panel", *(_votes(card) for card in cards)]]
    for label in dict.fromkeys(fact.label for card in cards for fact in card.facts):
        rows += [[escape(label), *(_facts(card, label) for card in cards)]]
    uses = ((verdict.use, verdict.device) for card in cards for verdict in card.verdicts)
    for use, device in dict.fromkeys(uses):
        label = escape(f"verdict: {use} {device}".strip())
        rows += [[label, *(_verdicts(card, use, device) for card in cards)]]
    return grid(rows)


def _votes(card: Card) -> str:
    if card.votes is None:
        return "-"
    return f"**{card.votes.percent} ship**: {escape(card.votes.text)}; {escape(card.votes.interval)}"


def _facts(card: Card, label: str) -> str:
    mine = [fact for fact in card.facts if fact.label == label]
    return "<br>".join(_two(Cell(fact.text, fact.detail)) for fact in mine) or "-"


def _verdicts(card: Card, use: str, device: str) -> str:
    mine = [verdict for verdict in card.verdicts if (verdict.use, verdict.device) == (use, device)]
    told = [f"**{escape(one.shown)}**: {_two(Cell(one.why, one.basis))}" for one in mine]
    return "<br>".join(told) or "-"


def _two(cell: Cell) -> str:
    return escape(f"{cell.text} ({cell.detail})" if cell.detail else cell.text)


def _quotes(cards: Sequence[Card]) -> list[str]:
    parts = []
    for card in cards:
        for quote in card.quotes:
            vote = f", votes {quote.word}" if quote.word else ""
            parts.append(f"> {escape(quote.text)}\n>\n> {escape(f'{quote.by}, on {card.name}{vote}')}")
    return ["### What reviewers say", *parts] if parts else []


def _table(table: Table) -> str:
    titles = [f"{column.title}, {column.unit}" if column.unit else column.title for column in table.columns]
    rows = [[*map(escape, titles)], ["---:" if column.figures else "---" for column in table.columns]]
    rows += [[_cell(cell) for cell in row] for row in table.rows]
    facts = "\n".join(f"- {escape(fact)}" for fact in table.facts)
    notes = "\n".join(f"- {escape(note)}" for note in table.notes)
    return "\n\n".join(part for part in (f"### {escape(table.heading)}", facts, grid(rows), notes) if part)


def _cell(cell: Cell) -> str:
    return escape(f"{cell.text} {cell.detail}" if cell.detail.startswith(("±", "~±")) else "") or _two(cell)
