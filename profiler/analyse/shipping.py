"""Ship, skip or undecided: rows judged on their intervals by the limits of a use."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from profiler.analyse.source import Source
from profiler.documents.limits import Limits


class Word(StrEnum):
    """SHIP: every limit is kept by the whole interval. SKIP: one is broken by the whole interval. Else UNDECIDED."""

    SHIP = "ship"
    SKIP = "skip"
    UNDECIDED = "undecided"


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """One limit on one row. `margin` is how far the value lies inside the limit, as a share of it (negative: beyond).

    `reason` is one clause: what was seen against what was asked, or why nothing can be said.
    """

    limit: str
    metric: str
    word: Word
    value: float | None
    low: float | None
    high: float | None
    unit: str
    margin: float | None
    reason: str


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """One row under the limits that concern it. `turn` says what would turn a skip, or decide what is undecided.

    `source` is the name of the run file, `why` one sentence, `basis` that of the row ("measured", "imported", ...).
    """

    source: str
    row: str
    device: str
    build: str
    workload: str
    word: Word
    judged: list[Judged]
    why: str
    turn: list[str]
    basis: str


class Verdicts(msgspec.Struct, frozen=True, kw_only=True):
    """Every row that a set of limits speaks of. `unmatched` are rows, or uses, that no limit or row met, in words."""

    schema: str
    limits: str
    title: str
    question: str
    judgements: list[Judgement]
    unmatched: list[str]


def verdicts(sources: Sequence[Source], limits: Limits) -> Verdicts:
    """Every row of these sources judged by the limits."""
    raise NotImplementedError(limits.name)
