"""What limits decoding, from the time that each of its terms takes."""

from __future__ import annotations

from collections.abc import Mapping

from profiler.analyse.amounts import percent

CLASSES = {
    "read": "reading weights",
    "attend": "attention over the context",
    "layer": "starting operations",
    "call": "starting operations",
    "choose": "choosing experts",
}
NEAR = 0.75
"""A share of the measured bandwidth from which memory is the limit, and not the processor."""


def limit_of(told: Mapping[str, float], read_bytes: float, bytes_per_s: float) -> str:
    """The part that takes most of a token's time, with its share; for weights, whether memory or processor limits."""
    by_class: dict[str, float] = {}
    for name, seconds in told.items():
        what = CLASSES[name.partition(":")[0]]
        by_class[what] = by_class.get(what, 0) + seconds
    total = sum(by_class.values())
    largest = max(by_class, key=lambda what: by_class[what])
    share = f"{percent(by_class[largest] / total)} of the time" if total else "all of the time"
    if largest != CLASSES["read"] or not by_class[largest]:
        return f"{largest}, {share}"
    reached = read_bytes / by_class[largest] / bytes_per_s
    what = "memory bandwidth" if reached >= NEAR else "the processor, which unpacks weights"
    return f"{what}: {largest} is {share}, at {percent(min(reached, 1))} of the measured bandwidth"
