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
    return differences(done.token_ns)


def differences(stamps: Sequence[int]) -> list[int]:
    """Each stamp less the one before it."""
    return list(map(operator.sub, stamps[1:], stamps))


def tenth(done: Pass, part: Part) -> dict[int, int]:
    """The gaps in the first, middle or last tenth of an answer, in ns by the number of the token that ends each.

    Empty below ten gaps.
    """
    start, stop = _bounds(done, part)
    return numbered(differences(done.token_ns[start:stop]), start)


def tenth_ns(done: Pass, part: Part) -> list[int]:
    """The same without their numbers."""
    start, stop = _bounds(done, part)
    return differences(done.token_ns[start:stop])


def _bounds(done: Pass, part: Part) -> tuple[int, int]:
    """Where the stamps of a tenth begin and end."""
    gaps = max(0, len(done.token_ns) - 1)
    size = gaps // FEWEST_FOR_TENTHS
    start = 0 if part == "first" else gaps - size if part == "last" else (gaps - size) // 2
    return start, start + size + 1


def numbered(gaps: Sequence[int], start: int = 0) -> dict[int, int]:
    """Gaps by the number of the token that ends each: the first gap of an answer ends with token 2."""
    return dict(enumerate(gaps, start + 2))
