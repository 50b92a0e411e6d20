"""A course of values as one short line of block characters."""

from __future__ import annotations

from collections.abc import Sequence

BLOCKS = "▁▂▃▄▅▆▇█"


def spark(values: Sequence[float], most: int = 20, least: float = 0.0) -> str:
    """The last `most` values between `least` and the largest of them: the lowest block is `least`."""
    shown = list(values)[-most:]
    highest = max(shown, default=least)
    if highest <= least:
        return BLOCKS[0] * len(shown)
    steps = len(BLOCKS) - 1
    return "".join(BLOCKS[round(steps * max(0.0, value - least) / (highest - least))] for value in shown)
