"""What a page is made of: sections of blocks, each of them text that the template escapes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from profiler.render.charts import Chart
from profiler.render.html.sorting import amount


class Head(msgspec.Struct, frozen=True):
    """The head of a column. Numbers stand to the right."""

    title: str
    unit: str = ""
    number: bool = False


class Cell(msgspec.Struct, frozen=True):
    """`note` is what stands dimmed beside the text, `kind` one of our own words that has a colour.

    A column is sorted by `amount`, or by its texts where there is none; `span` columns are taken.
    """

    text: str
    note: str = ""
    kind: str = ""
    amount: float | None = None
    span: int = 1


class Grid(msgspec.Struct, frozen=True, kw_only=True):
    """A table with a caption; `stories` are what went wrong in rows without figures."""

    caption: str
    heads: list[Head]
    rows: list[list[Cell]]
    stories: list[str] = []


class Definition(msgspec.Struct, frozen=True, kw_only=True):
    """What a figure means, and its formula."""

    name: str
    label: str
    unit: str
    direction: str
    meaning: str
    formula: str


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to show below an optional heading. `folded` ones are opened by whoever wants to read them."""

    heading: str = ""
    says: str = ""
    chart: Chart | None = None
    grid: Grid | None = None
    facts: Sequence[tuple[str, str]] = ()
    items: Sequence[str] = ()
    definitions: Sequence[Definition] = ()
    commands: Sequence[str] = ()
    folded: bool = False


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """A heading that the list of contents names, and its blocks."""

    id: str
    title: str
    blocks: list[Block]


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What one source has to tell."""

    id: str
    title: str
    sections: list[Section]


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """The first screen (kicker, question, answer, tables), the parts of its sources, and what all of them share."""

    kicker: str
    question: str
    answer: str
    first: list[Block]
    parts: list[Part]
    shared: list[Section]


def section(id: str, title: str, blocks: Iterable[Block | None]) -> list[Section]:
    """A section of the blocks that there are; none without any."""
    kept = [block for block in blocks if block is not None]
    return [Section(id=id, title=title, blocks=kept)] if kept else []


def figure(text: str, note: str = "", kind: str = "") -> Cell:
    """A cell that is sorted by the number in it."""
    return Cell(text, note, kind, amount(text))
