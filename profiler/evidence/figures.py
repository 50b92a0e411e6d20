"""Whether two renderings say the same: to the byte, or to the last digits that processors compute differently."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import msgspec

from profiler.errors import UserError

NEAR = 1e-9
"""Share by which the same figure may differ between two processors or mathematics libraries."""

_DECIMAL = re.compile(r"(?<![\w.])(-?\d+(?:\.\d+(?:[eE][-+]?\d+)?|[eE][-+]?\d+))(?![\w.])")


class _Figure(msgspec.Struct):
    value: float | None = None
    low: float | None = None
    high: float | None = None


class _Row(msgspec.Struct):
    id: str
    metrics: dict[str, _Figure] = {}


class _Report(msgspec.Struct):
    rows: list[_Row]


def alike(one: str, other: str) -> bool:
    """Equal texts, except that decimal fractions may differ in digits that do not count."""
    parts, others = _DECIMAL.split(one), _DECIMAL.split(other)
    if len(parts) != len(others) or parts[::2] != others[::2]:
        return False
    return all(map(_near, parts[1::2], others[1::2]))


def _near(one: str, other: str) -> bool:
    return one == other or (
        math.isfinite(float(one)) and math.isclose(float(one), float(other), rel_tol=NEAR)
    )


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """How many figures of two reports are equal, which are not, how many only one has, and if rows are the same."""

    same: int
    unequal: list[str]
    alone: int
    rows: bool


def figures(one: bytes, other: bytes) -> Compared:
    """The figures of two JSON reports. Raises `UserError` for what is no report."""
    rows, others = _rows(one), _rows(other)
    found, known = _figures(rows), _figures(others)
    both = found.keys() & known.keys()
    unequal = sorted(name for name in both if not _same(found[name], known[name]))
    return Compared(
        same=len(both) - len(unequal),
        unequal=unequal,
        alone=len(found.keys() ^ known.keys()),
        rows=[row.id for row in rows] == [row.id for row in others],
    )


def _rows(report: bytes) -> list[_Row]:
    try:
        return msgspec.json.decode(report, type=_Report).rows
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(f"a report in JSON is none: {error}") from None


def _figures(rows: Sequence[_Row]) -> dict[str, _Figure]:
    return {f"{row.id} {metric}": figure for row in rows for metric, figure in row.metrics.items()}


def _same(one: _Figure, other: _Figure) -> bool:
    pairs = ((one.value, other.value), (one.low, other.low), (one.high, other.high))
    return all(a == b or (a and b and math.isclose(a, b, rel_tol=NEAR)) for a, b in pairs)
