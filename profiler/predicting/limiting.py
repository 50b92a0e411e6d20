"""What limits decoding, from the time that each of its terms takes."""

from __future__ import annotations

from collections.abc import Mapping

from profiler.analyse.amounts import percent

CLASSES = {
    "read": "weights",
    "values": "weights",
    "attend": "attention",
    "attend_short": "attention",
    "fetch": "attention",
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
    largest = max(by_class, key=lambda what: by_class[what])
    total = sum(by_class.values())
    share = percent(by_class[largest] / total if total else 1)
    if largest != CLASSES["read"] or not by_class[largest]:
        return f"{largest}, {share}"
    near = read_bytes / by_class[largest] >= NEAR * bytes_per_s
    return f"{'memory bandwidth' if near else 'unpacking weights'}, {share}"
