"""A verdict as Markdown for a pull request: the answer first, then each row with its limits."""

from __future__ import annotations

from profiler.analyse.shipping import Verdicts
from profiler.render import verdict_words as words
from profiler.render.markdown import escape, grid, listed

_RULE = ["---", "---:", "---", "---:", "---"]


def render(found: Verdicts) -> str:
    """The whole verdict. No name in it can be anything but text."""
    parts = [f"## {escape(words.question(found))}", f"**{escape(words.answer(found))}**"]
    for block in words.blocks(found):
        parts += _block(block)
    parts += listed("Why these limits", words.reasons(found))
    parts += listed("Not judged", words.not_judged(found))
    parts += [escape(words.RULE[0].upper() + words.RULE[1:] + ".")] if found.judgements else []
    return "\n\n".join(parts) + "\n"


def _block(block: words.Block) -> list[str]:
    rows = [[escape(cell) for cell in words.cells(line)] for line in block.lines]
    turn = [f"- {words.turn_title(block.word)}: {escape(text)}" for text in block.turn]
    return [
        f"### {block.word.upper()} {escape(block.heading)}",
        *([grid([list(words.TITLES), _RULE, *rows])] if rows else []),
        *map(escape, block.stories),
        *(["\n".join(turn)] if turn else []),
    ]
