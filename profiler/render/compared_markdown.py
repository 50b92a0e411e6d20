"""A comparison as Markdown for a pull request: the verdict first, then the table, then what differs and why."""

from __future__ import annotations

from profiler.analyse.compared import Compared
from profiler.render import compared_words as words
from profiler.render.markdown import escape, grid, section

_COLUMNS = [["metric", "base", "candidate", "ratio", "interval", "verdict"],
            ["---", "---:", "---:", "---:", "---", "---"]]  # fmt: skip
_GATE = [["condition", "candidate / base", "result", "seen"], ["---", "---", "---", "---"]]
_STRONG = ("failed", "worse")


def render(found: Compared) -> str:
    """The whole comparison. No name in it can be anything but text."""
    parts = [f"## edgeprof: {words.verdict(found)}", *_gate(found)]
    for block in words.blocks(found):
        parts += _block(block)
    parts += section("Undecided", words.undecided(found))
    parts += section("Notes", words.notes(found))
    parts.append("\n".join(f"- {escape(fact)}" for fact in words.facts(found)))
    return "\n\n".join(parts) + "\n"


def _gate(found: Compared) -> list[str]:
    rows = [
        [escape(line.condition), escape(line.rows), _strong(line.result), escape(line.seen)]
        for line in words.gate(found)
    ]
    return [grid([*_GATE, *rows])] if rows else []


def _block(block: words.Block) -> list[str]:
    rows = [[*map(escape, cells[:-1]), _strong(cells[-1])] for cells in words.rows_of(block.lines)]
    differs = "; ".join(map(escape, block.differs))
    return [
        f"### {escape(block.heading)}",
        *([grid([*_COLUMNS, *rows])] if rows else []),
        *map(escape, block.stories),
        *([f"Differs: {differs}"] if differs else []),
    ]


def _strong(word: str) -> str:
    return f"**{word}**" if word in _STRONG else word
