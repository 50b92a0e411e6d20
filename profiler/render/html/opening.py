"""The first screen: the question, the answer in one sentence, the tables behind it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from profiler.analyse.shipping import Verdicts
from profiler.analyse.source import Source
from profiler.render import format as fmt
from profiler.render import question, several_tables, several_words
from profiler.render import verdict_words as words
from profiler.render.columns import tables
from profiler.render.html import grids, sections
from profiler.render.html.parts import Block, Cell, Grid, Head, figure

MOST_OPEN = 2
"""Judged rows up to which every limit is shown at once."""


def first(sources: Sequence[Source], verdicts: Verdicts | None) -> list[Block]:
    """Verdicts, if limits were given; then the table of one run, or models by devices of several."""
    judged = [] if verdicts is None else _judged(verdicts)
    return [*judged, *(_several(sources) if len(sources) > 1 else headline(sources[0]))]


def _several(sources: Sequence[Source]) -> list[Block]:
    """Models by devices, and how to read them; each file has its sections below, so no note need point to them."""
    tables = [Block(grid=grids.of_table(table)) for table in several_tables.tables(sources)]
    notes = [note for note in several_words.notes(sources) if note != several_words.OF_SEVERAL[1]]
    return [*tables, Block(heading="Notes", items=notes)]


def headline(source: Source) -> list[Block]:
    """The first tables of a run, and what a reader must know of them."""
    found = [Block(grid=grids.of_table(table)) for table in tables(source.report)]
    return [*found, *sections.notices(source.report)]


def kicker(sources: Sequence[Source]) -> str:
    """What this page is made from: device and day of one run, or how many there are."""
    if len(sources) > 1:
        return f"{several_words.counted(sources)}, edgeprof {fmt.plain(sources[0].report.edgeprof)}"
    return summary(sources[0])


def summary(source: Source) -> str:
    """Device, file and day of one source."""
    parts = [question.where(source.report.device), source.name, _day(source)]
    return fmt.plain(" · ".join(part for part in parts if part))


def _day(source: Source) -> str:
    """The day on which a run began; nothing for a clock that was far off."""
    if source.run is None:
        return ""
    try:
        began = datetime.fromtimestamp(source.run.header.started.wall_ns / 1e9, UTC)
    except (OverflowError, ValueError, OSError):
        return ""
    return f"{began.day} {began:%B %Y}"


def _judged(verdicts: Verdicts) -> list[Block]:
    """The verdict of each row, then the limits it rests on, folded where they are many."""
    blocks = words.blocks(verdicts)
    many = len(blocks) > MOST_OPEN
    limits = Block(heading="Each limit", grid=_limits(verdicts, blocks), says=_rule(), folded=many)
    reasons, beside = words.reasons(verdicts), words.not_judged(verdicts)
    shared = _shared(blocks)
    return [
        Block(grid=_verdicts(verdicts, blocks, shared)),
        *([Block(items=[f"All rows: {'; '.join(shared)}"])] if shared else []),
        *([limits] if blocks else []),
        *([Block(heading="Why these limits", items=reasons, folded=True)] if reasons else []),
        *([Block(heading="Not judged", items=beside)] if beside else []),
    ]


def _rule() -> str:
    return f"{words.RULE[0].upper()}{words.RULE[1:]}."


def _shared(blocks: Sequence[words.Block]) -> list[str]:
    """What would turn or decide every row, where that is the same for all: it is told once."""
    turns = [block.turn for block in blocks]
    return turns[0] if len(turns) > 1 and all(turn == turns[0] for turn in turns) else []


def _verdicts(verdicts: Verdicts, blocks: Sequence[words.Block], shared: Sequence[str]) -> Grid:
    heads = ["row", "verdict", "what", "why", *([] if shared else ["what would turn or decide it"])]
    return Grid(
        caption=fmt.plain(f"Verdicts by {verdicts.title}"),
        heads=[Head(title) for title in heads],
        rows=[
            _verdict(block, one.why)[: len(heads)]
            for block, one in zip(blocks, verdicts.judgements, strict=True)
        ],
    )


def _verdict(block: words.Block, why: str) -> list[Cell]:
    row, _, what = block.heading.partition("  ")
    told = (what, fmt.plain(why), "; ".join(block.turn))
    return [Cell(row), Cell(block.word, kind=block.word), *(Cell(text, kind="text") for text in told)]


def _limits(verdicts: Verdicts, blocks: Sequence[words.Block]) -> Grid:
    return Grid(
        caption=fmt.plain(f"Limits of {verdicts.limits}, one by one"),
        heads=[Head("row"), *map(Head, words.TITLES)],
        rows=[_limit(block, line) for block in blocks for line in block.lines],
    )


def _limit(block: words.Block, line: words.Line) -> list[Cell]:
    *told, word = words.cells(line)
    return [Cell(block.heading.partition("  ")[0]), *map(figure, told), Cell(word, kind=word)]
