"""How long the threads of llama.cpp wait for each other while one token attends to those before it.

The rules are those of ggml's flash attention (`ggml_compute_forward_flash_attn_ext_f16`, ggml 0.25), seen with its
evaluation callback: on two threads 264 cells take as long as 499, and twice as long as 248.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from profiler.predicting.call import Call

PART = 256
"""Cells by which llama.cpp takes more of its cache into the graph."""

DIVIDED_FROM, DIVIDED = 512, frozenset({"f16", "f32"})
"""From so many cells on a cache of these types is divided among the threads by position."""

CHUNKS = 4
"""Parts for each thread into which heads are divided; a thread that is done takes the next one."""


class Waits(NamedTuple):
    """Cells that would take as long if all threads were busy. Short attention divides heads, long divides cells."""

    cells: float
    is_short: bool


def waited_for(heads: int, window: int | None, call: Call) -> Waits:
    """The cells of the cache that the slowest thread makes all wait for.

    Without flash attention every cell in the graph is multiplied. With it masked ones are skipped; but where positions
    are divided among the threads, the last of them may have nothing to do.
    """
    seen = min(call.depth, window or call.depth)
    used = call.depth + 1 if window is None else min(call.depth + 1, window + call.ubatch)
    in_graph = PART * math.ceil(used / PART)
    if call.flash == "off":
        return Waits(in_graph, is_short=False)
    by_position = call.kv in DIVIDED
    if by_position and in_graph >= DIVIDED_FROM:
        return Waits(min(call.threads * seen, in_graph), is_short=False)
    return Waits(seen * call.threads * busiest(heads, call.threads) / heads, is_short=by_position)


def busiest(heads: int, threads: int) -> int:
    """How many heads the thread with the most of them has."""
    size = math.ceil(heads / (CHUNKS * threads))
    chunks = math.ceil(heads / size)
    last_alone = chunks % threads == 1 % threads and chunks > 1
    return size * math.ceil(chunks / threads) - (size * chunks - heads if last_alone else 0)
