"""What a comparison says, in plain words. Terminal and Markdown lay it out."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Sequence

import msgspec

from profiler.analyse.compared import Compared, Pair, Side, Value
from profiler.analyse.comparison import Comparison
from profiler.analyse.plural import plural
from profiler.render import advice
from profiler.render import format as fmt
from profiler.render.below import STOPPED, bounds
from profiler.runfile import Failure

LONGEST_STORY = 300
MOST_DIFFERENCES = 12
"""JSON has the others."""

_DESIGNS = {
    "paired": "ratios formed inside the rounds of one run",
    "anchored": "two runs, each against the anchor that both measured",
    "unanchored": "two runs without an anchor in common",
}


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One comparison in words."""

    metric: str
    base: str
    candidate: str
    ratio: str
    interval: str
    verdict: str


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """One pair of rows: its comparisons, or the story of what happened instead, and what differs."""

    heading: str
    lines: list[Line]
    stories: list[str]
    differs: list[str]


class GateLine(msgspec.Struct, frozen=True, kw_only=True):
    """One condition on one pair."""

    condition: str
    rows: str
    result: str
    seen: str


def verdict(found: Compared) -> str:
    """The whole in one line: the gate's result, or how many comparisons came to what."""
    if found.result is not None:
        return f"gate {found.result.value}"
    counts = Counter(item.verdict.value for pair in found.pairs for item in pair.comparisons)
    told = [f"{count} {word.replace('_', ' ')}" for word, count in counts.items()]
    return ", ".join(told) or "nothing was measured in both rows"


def gate(found: Compared) -> list[GateLine]:
    """Every condition on every pair."""
    return [
        GateLine(
            condition=fmt.plain(item.condition),
            rows=fmt.plain(f"{item.candidate or '-'} / {item.base}") if item.base else "-",
            result=item.result.value,
            seen=_shortened(item.seen),
        )
        for item in found.conditions
    ]


def blocks(found: Compared) -> list[Block]:
    """Every pair of rows."""
    return [_block(found, pair) for pair in found.pairs]


def _block(found: Compared, pair: Pair) -> Block:
    ours = f"{pair.base} {pair.base_build}{by(pair.base_basis)}"
    theirs = f"{pair.candidate} {pair.candidate_build}{by(pair.candidate_basis)}"
    if pair.design != "paired":
        ours, theirs = f"{found.base.file} {ours}", f"{found.candidate.file} {theirs}"
    more = len(pair.differs) - MOST_DIFFERENCES
    return Block(
        heading=fmt.plain(f"{theirs} against {ours}, {pair.workload}"),
        lines=[_line(item, pair.values) for item in pair.comparisons],
        stories=[
            *_story(pair.base, pair.base_failure),
            *_story(pair.candidate, pair.candidate_failure),
        ],
        differs=[
            *map(_shortened, pair.differs[:MOST_DIFFERENCES]),
            *([f"{more} more"] if more > 0 else []),
        ],
    )


def by(basis: str) -> str:
    """Where figures come from that were not measured."""
    return "" if basis == "measured" else f" ({basis})"


def _line(item: Comparison, values: dict[str, Value]) -> Line:
    value = values.get(item.metric or "")
    return Line(
        metric=value.label if value else "",
        base=_figure(value.base, value.unit) if value else "",
        candidate=_figure(value.candidate, value.unit) if value else "",
        ratio=fmt.ratio(item.ratio) if item.metric else "",
        interval=fmt.plain(bounds(item)),
        verdict=item.verdict.value.replace("_", " "),
    )


def _figure(value: float, unit: str) -> str:
    return fmt.size(value) if unit == "B" else f"{fmt.number(value)} {unit}"


def _story(row: str, failure: Failure | None) -> list[str]:
    if failure is None:
        return []
    return [_shortened(f"{row} failed to measure: {failure.kind.replace('_', ' ')}: {failure.message}")]


def undecided(found: Compared) -> list[str]:
    """What it would take to decide each condition, and each comparison, that is not."""
    comparisons = [item for pair in found.pairs for item in pair.comparisons]
    run = "a fresh run" if all(pair.design == "paired" for pair in found.pairs) else "one fresh run of both"
    return [*advice.of_conditions(found.conditions, run=run), *advice.of_comparisons(comparisons, run=run)]


def notes(found: Compared) -> list[str]:
    """What to know of the rows and runs."""
    rows = dict.fromkeys(text for pair in found.pairs for text in pair.notices)
    return [_shortened(text) for text in [*found.notes, *found.unmatched, *rows]]


def facts(found: Compared) -> list[str]:
    """Which runs these are and how they are compared."""
    designs = dict.fromkeys(_DESIGNS[pair.design] for pair in found.pairs)
    together = sum(item.metric is not None for pair in found.pairs for item in pair.comparisons)
    held = f"intervals hold at 95% for {plural(together, 'comparison')} at once"
    sides = dict.fromkeys([_side(found.base), _side(found.candidate)])
    return [*map(fmt.plain, sides), "; ".join([*designs, held])]


def _side(side: Side) -> str:
    ended = STOPPED.get(side.stopped, "stopped")
    return f"{side.file}: {plural(side.rounds, 'round')} on {side.device}, {ended}"


def _shortened(text: str) -> str:
    return textwrap.shorten(fmt.plain(text), LONGEST_STORY, placeholder=" ...")


def rows_of(lines: Sequence[Line]) -> list[list[str]]:
    """The cells of each line, in the order of the table's columns."""
    return [list(msgspec.structs.astuple(line)) for line in lines]
