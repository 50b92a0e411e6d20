"""A verdict for a terminal: the question, one line that answers it, then each row with its limits."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from profiler.analyse.shipping import Verdicts
from profiler.render import verdict_words as words
from profiler.render.aligned import aligned, widest
from profiler.render.terminal import WIDTH_WITHOUT_TERMINAL, as_text, listed

_STYLE = {"ship": "green", "skip": "red", "undecided": "yellow"}
_BLANK = Text("")
WORD = 11
"""Characters of the longest word and the space behind it."""

_COLUMNS = ([0, 1, 2, 3, 4], [0, 1, 3, 4], [0, 1, 4])
"""Columns by how much room there is."""


def render(found: Verdicts, width: int = WIDTH_WITHOUT_TERMINAL) -> str:
    """The verdict as plain text without colour, for files and pipes."""
    return as_text(renderable(found, width), width)


def renderable(found: Verdicts, width: int) -> RenderableType:
    """The verdict for a console of this width."""
    parts: list[RenderableType] = [
        Text(words.question(found), style="bold", overflow="fold"),
        Text(words.answer(found), style=_STYLE[found.word.value], overflow="fold"),
    ]
    for block in words.blocks(found):
        parts += [_BLANK, _heading(block, width), *_table(block.lines, width)]
        parts += [_below(story, "") for story in block.stories]
        parts += [_below(f"{words.turn_title(block.word)}: {text}", "dim") for text in block.turn]
    parts += listed("Why these limits", words.reasons(found))
    parts += listed("Not judged", words.not_judged(found))
    parts += listed("How it is judged", [words.RULE] if found.judgements else [])
    return Group(*parts)


def _heading(block: words.Block, width: int) -> Text:
    """The word, and what it is said of beside it on as many lines as that takes."""
    lines = textwrap.wrap(block.heading, max(width - WORD, WORD), break_on_hyphens=False)
    word = Text(block.word.upper().ljust(WORD), style=f"bold {_STYLE[block.word]}")
    return word.append(f"\n{' ' * WORD}".join(lines), style="bold")


def _below(text: str, style: str) -> RenderableType:
    return Padding(Text(text, style=style, overflow="fold"), (0, 0, 0, 2))


def _table(lines: Sequence[words.Line], width: int) -> list[Text]:
    """As many columns as there is room for."""
    if not lines:
        return []
    shown = [_aligned(lines, columns) for columns in _COLUMNS]
    return next((table for table in shown if widest(table) <= width), shown[-1])


def _aligned(lines: Sequence[words.Line], columns: Sequence[int]) -> list[Text]:
    rows = [words.cells(line) for line in lines]
    return aligned([[Text(row[n], style=_STYLE.get(row[n], "")) for row in rows] for n in columns], indent=2)
