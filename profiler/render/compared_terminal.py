"""A comparison for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from profiler.analyse.compared import Compared
from profiler.render import compared_words as words
from profiler.render.aligned import aligned, widest
from profiler.render.terminal import VERDICT_STYLE, WIDTH_WITHOUT_TERMINAL, as_text, section

_STYLE = {**VERDICT_STYLE, "failed": "red", "passed": "green", "undecided": "yellow"}
_TITLES = ("metric", "base", "candidate", "ratio", "interval", "verdict")
_VALUES = (1, 2)
"""The columns that go first where there is little room."""

_BLANK = Text("")


def render(found: Compared, width: int = WIDTH_WITHOUT_TERMINAL) -> str:
    """The comparison as plain text without colour, for files and pipes."""
    return as_text(renderable(found, width), width)


def renderable(found: Compared, width: int) -> RenderableType:
    """The comparison for a console of this width."""
    parts: list[RenderableType] = [Text(words.verdict(found).capitalize(), style="bold"), *_gate(found)]
    for block in words.blocks(found):
        parts += [_BLANK, Text(block.heading, style="bold", overflow="fold"), *_table(block.lines, width)]
        parts += [Text(f"  {story}", style="red", overflow="fold") for story in block.stories]
        parts += [Text(f"  differs: {text}", style="dim", overflow="fold") for text in block.differs]
    parts += section("Undecided", words.undecided(found))
    parts += section("Notes", words.notes(found))
    parts += section("Runs", words.facts(found))
    return Group(*parts)


def _gate(found: Compared) -> list[Text]:
    """A line for each condition; what it was judged on stands below it."""
    shown = []
    for line in words.gate(found):
        result = Text(line.result, style=_STYLE[line.result])
        shown.append(Text(f"  {line.condition}   {line.rows}   ", overflow="fold").append_text(result))
        shown.append(Text(f"    {line.seen}", style="dim", overflow="fold"))
    return shown


def _table(lines: Sequence[words.Line], width: int) -> list[Text]:
    """All columns, or all but the two values where there is little room."""
    if not lines:
        return []
    rows = words.rows_of(lines)
    every = range(len(_TITLES))
    shown = _aligned(rows, every)
    return shown if widest(shown) <= width else _aligned(rows, [n for n in every if n not in _VALUES])


def _aligned(rows: Sequence[Sequence[str]], columns: Sequence[int]) -> list[Text]:
    cells = [
        [Text(_TITLES[n], style="dim"), *(Text(row[n], style=_STYLE.get(row[n], "")) for row in rows)]
        for n in columns
    ]
    return aligned(cells, indent=2)
