"""The first screen: the question, the answer in one sentence, the tables behind it."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from datetime import UTC, datetime

from profiler.analyse.plural import plural
from profiler.analyse.shipping import Judged, Judgement, Verdicts
from profiler.analyse.source import Source
from profiler.render import format as fmt
from profiler.render import question
from profiler.render.columns import Table, tables
from profiler.render.html import grids, sections
from profiler.render.html.parts import Block, Cell, Grid, Head


def first(sources: Sequence[Source], verdicts: Verdicts | None) -> list[Block]:
    """Verdicts, if limits were given; then the table of one run, or models by devices of several."""
    judged = [] if verdicts is None else _judged(verdicts)
    if len(sources) > 1:
        return [*judged, *(Block(grid=grids.of_table(table)) for table in _several(sources))]
    return [*judged, *headline(sources[0])]


def _several(sources: Sequence[Source]) -> list[Table]:
    """Models by devices."""
    found: list[Table] = importlib.import_module("profiler.render.several_tables").tables(sources)
    return found


def headline(source: Source) -> list[Block]:
    """The first tables of a run, and what a reader must know of them."""
    found = [Block(grid=grids.of_table(table)) for table in tables(source.report)]
    return [*found, *sections.notices(source.report)]


def kicker(sources: Sequence[Source]) -> str:
    """What this page is made from: device and day of one run, or how many files."""
    if len(sources) > 1:
        return f"{plural(len(sources), 'file')}, edgeprof {fmt.plain(sources[0].report.edgeprof)}"
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
    limits = [(one, limit) for one in verdicts.judgements for limit in one.judged]
    found = [
        Block(grid=_verdicts(verdicts)),
        Block(items=[fmt.plain(text) for text in verdicts.unmatched]) if verdicts.unmatched else None,
        Block(heading="Each limit", grid=_limits(verdicts, limits), folded=True) if limits else None,
    ]
    return [block for block in found if block is not None]


def _verdicts(verdicts: Verdicts) -> Grid:
    heads = ("row", "build", "workload", "device", "verdict", "why", "what would turn it")
    return Grid(
        caption=fmt.plain(f"Verdicts by {verdicts.title}"),
        heads=[Head(title) for title in heads],
        rows=[_verdict(one) for one in verdicts.judgements],
    )


def _verdict(one: Judgement) -> list[Cell]:
    names = [Cell(fmt.plain(text)) for text in (one.row, one.build, one.workload, one.device)]
    turn = "; ".join(one.turn)
    return [*names, Cell(one.word.value, kind=one.word.value), *_told(one.why, turn)]


def _told(*texts: str) -> list[Cell]:
    return [Cell(fmt.plain(text), kind="text") for text in texts]


def _limits(verdicts: Verdicts, judged: Sequence[tuple[Judgement, Judged]]) -> Grid:
    return Grid(
        caption=fmt.plain(f"Limits of {verdicts.limits}, one by one"),
        heads=[Head("row"), Head("limit"), Head("margin", number=True), Head("verdict"), Head("seen")],
        rows=[_limit(one, limit) for one, limit in judged],
    )


def _limit(one: Judgement, limit: Judged) -> list[Cell]:
    sign = "-" if limit.margin is not None and limit.margin < 0 else ""
    margin = "-" if limit.margin is None else sign + fmt.percent(abs(limit.margin))
    cells = [Cell(fmt.plain(one.row)), Cell(fmt.plain(limit.limit)), Cell(margin, amount=limit.margin)]
    return [*cells, Cell(limit.word.value, kind=limit.word.value), *_told(limit.reason)]
