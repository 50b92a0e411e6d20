"""Stalls: gaps between tokens far above the usual. The headline rests on medians and does not show them."""

from __future__ import annotations

from statistics import median

import msgspec

from profiler.analyse.gaps import numbered
from profiler.analyse.samples import Samples

TIMES_MEDIAN = 3
"""A gap is a stall when it is longer than so many times the median gap of its pass."""

WORTH_TELLING = 0.01
"""Stalls are told where what they take beyond the median is this share of all time between tokens."""


class Stalls(msgspec.Struct, frozen=True, kw_only=True):
    """How many of the gaps of a case were stalls, what share of the time they took, and the longest of them.

    `token` is the number of the token that the longest ended with, `round` and `number` say in which pass.
    """

    count: int
    gaps: int
    share: float
    longest_ns: int
    token: int
    round: int
    number: int


def stalls(found: Samples) -> Stalls | None:
    """The stalls in the counted passes of a case, or None without one."""
    seen: list[tuple[int, int, int, int]] = []
    beyond = 0.0
    for number, passes in found.passes.items():
        for done, between in zip(passes, found.gaps_ns[number], strict=True):
            slow = of_pass(between)
            seen += [(gap, token, number, done.number) for token, gap in slow.items()]
            beyond += sum(slow.values()) - len(slow) * median(between) if slow else 0
    if not seen:
        return None
    every = [between for passes in found.gaps_ns.values() for between in passes]
    longest, token, number, pass_number = max(seen)
    return Stalls(
        count=len(seen),
        gaps=sum(map(len, every)),
        share=beyond / max(sum(map(sum, every)), beyond),
        longest_ns=longest,
        token=token,
        round=number,
        number=pass_number,
    )


def of_pass(between: list[int]) -> dict[int, int]:
    """The stalls of one pass by the number of the token that ends each."""
    if not between or max(between) <= TIMES_MEDIAN * min(between):
        return {}
    usual = median(between)
    if usual <= 0:
        return {}
    return {token: gap for token, gap in numbered(between).items() if gap > TIMES_MEDIAN * usual}
