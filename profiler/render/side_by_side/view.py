"""What a page of models beside each other is made of, as text: every string is plain, nothing is left to compute."""

from __future__ import annotations

import msgspec

from profiler.render.format import plain


class Cell(msgspec.Struct, frozen=True):
    """A text, what stands small below it, and the verdict it is (ship, skip, undecided) if it is one."""

    text: str
    detail: str = ""
    word: str = ""


class Column(msgspec.Struct, frozen=True):
    """Its title, its unit, and whether figures stand in it."""

    title: str
    unit: str = ""
    figures: bool = False


class Table(msgspec.Struct, frozen=True):
    """Rows of cells below a heading; `facts` stand between them, `notes` below."""

    heading: str
    facts: list[str]
    columns: list[Column]
    rows: list[list[Cell]]
    notes: list[str]


class Fact(msgspec.Struct, frozen=True):
    """A label, what is said, and where it comes from."""

    label: str
    text: str
    detail: str = ""


class Votes(msgspec.Struct, frozen=True):
    """The panel in words, and the share with its bounds in per cent for a bar."""

    percent: str
    text: str
    interval: str
    share: float
    low: float
    high: float


class Verdict(msgspec.Struct, frozen=True):
    """One use, on the device that it was judged on where there are several: the word or what stands in its place."""

    use: str
    device: str
    shown: str
    word: str
    why: str
    basis: str


class Said(msgspec.Struct, frozen=True):
    """A quote, who said it, and how that one voted."""

    text: str
    by: str
    word: str


class Card(msgspec.Struct, frozen=True):
    """One model."""

    name: str
    builds: str
    votes: Votes | None
    facts: list[Fact]
    verdicts: list[Verdict]
    quotes: list[Said]


class Page(msgspec.Struct, frozen=True):
    """Everything."""

    title: str
    question: str
    basis: str
    cards: list[Card]
    tables: list[Table]
    notes: list[str]


def cell(text: str, detail: str = "", word: str = "") -> Cell:
    """A cell of texts that may be from elsewhere."""
    return Cell(plain(text), plain(detail), word)
