"""A comparison as a value: everything that its renderers show, and nothing that they have to compute."""

from __future__ import annotations

from typing import Literal

import msgspec

from profiler.analyse.comparison import Comparison
from profiler.analyse.gate import Outcome, Result
from profiler.runfile import Failure

SCHEMA = "edgeprof.compare/1"

Design = Literal["paired", "anchored", "unanchored"]
"""Pairs inside rounds of one run; two runs with an anchor in common; two runs without."""


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One of the runs. `stopped` is None where it did not reach its planned stop."""

    file: str
    run_id: str
    edgeprof: str
    device: str
    rounds: int
    stopped: str | None


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """What stands on both sides of a ratio, as a report of either run shows it (of memory the typical worker)."""

    base: float
    candidate: float
    unit: str
    label: str


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """Two rows: what they are, what differs, every comparison, or the failure of one that did not last.

    A basis is "measured" or "extrapolated".
    """

    base: str
    candidate: str
    base_build: str
    candidate_build: str
    workload: str
    method: str
    design: Design
    base_failure: Failure | None
    candidate_failure: Failure | None
    differs: list[str]
    comparisons: list[Comparison]
    values: dict[str, Value]
    notices: list[str]
    base_basis: str = "measured"
    candidate_basis: str = "measured"


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """Two rows or more against each other. `result` is that of all conditions together, None without any."""

    schema: str
    edgeprof: str
    base: Side
    candidate: Side
    pairs: list[Pair]
    unmatched: list[str]
    conditions: list[Outcome]
    result: Result | None
    notes: list[str]
