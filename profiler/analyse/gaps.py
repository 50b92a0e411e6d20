"""The gaps between the tokens of one pass, and the tenths of an answer: gaps grow with depth."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Literal

from profiler.runfile import Pass

Part = Literal["first", "middle", "last"]

FEWEST_FOR_TENTHS = 10


def gaps_ns(done: Pass) -> list[int]:
    """The gaps between successive tokens of one pass."""
    return list(map(operator.sub, done.token_ns[1:], done.token_ns))


def tenth(done: Pass, part: Part) -> dict[int, int]:
    """The gaps in the first, middle or last tenth of an answer, in ns by the number of the token that ends each.

    Empty below ten gaps.
    """
    gaps = gaps_ns(done)
    size = len(gaps) // FEWEST_FOR_TENTHS
    start = {"first": 0, "middle": (len(gaps) - size) // 2, "last": len(gaps) - size}[part]
    return numbered(gaps[start : start + size], start)


def numbered(gaps: Sequence[int], start: int = 0) -> dict[int, int]:
    """Gaps by the number of the token that ends each: the first gap of an answer ends with token 2."""
    return dict(enumerate(gaps, start + 2))
