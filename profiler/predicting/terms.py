"""The physical terms of a call's duration: each is a count of something the processor does, with one cost per unit.

Decoding reads every active weight once (`read:KIND`, bytes) and ends a sum with every row of them (`values`). It passes
over the cache (`attend:CACHE`, elements), which comes from memory once for all heads that share it (`fetch`, bytes). A
prompt takes its weights apart once for each part of `ubatch` rows (`unpack:KIND`, bytes) and multiplies every row with
them (`multiply:KIND`, products). Rows of a mixture of experts go through their experts one by one (`route:KIND`, bytes;
`route_large:KIND` where the matrix of an expert does not stay in the cache of a core), and each expert that is met at
all is read (`experts`, bytes). Norms, activations and their quantization go with rows and width (`rows`), and every
graph costs something by itself (`call`) and for each layer (`layer`, `layers_of_prompt`).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping

import msgspec

from profiler.predicting.work import BLOCK_BYTES, Attention, Matrix, Work
from profiler.runfile import Settings

LONGEST_KEY = 256
"""Heads of 64 and 128 elements are timed; up to twice as long ones are taken to cost as much for each element."""
LARGE_EXPERT_BYTES = 2 << 20

PART = 256
"""Cells by which llama.cpp takes more of its cache into the graph."""

DIVIDED_FROM, DIVIDED = 512, frozenset({"f16", "f32"})
"""From so many cells on the flash attention of one token divides a cache of these types among the threads by position
(`ggml_compute_forward_flash_attn_ext_f16`)."""

Terms = Mapping[str, float]
"""How much of each term a call has."""


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One call of the engine: a prompt of `tokens` after `depth` others, or one token if `tokens` is 0.

    `kv` is the type of the KV cache, `flash` the word for flash attention, `auto` or `off`.
    """

    depth: float
    tokens: int
    ubatch: int
    threads: int
    kv: str
    flash: str

    @property
    def cache(self) -> str:
        """The kind of its terms of attention, such as f16:auto."""
        return f"{self.kv}:{self.flash}"


def call_of(settings: Settings, depth: float, tokens: int) -> Call:
    """The call with these settings of llama.cpp, for which flash attention `auto` is `on` on a CPU."""
    ubatch = min(int(str(settings[name])) for name in ("ubatch", "batch"))
    return Call(
        depth=depth,
        tokens=tokens,
        ubatch=ubatch,
        threads=int(str(settings["threads"])),
        kv=str(settings["kv"]),
        flash="off" if settings["flash"] == "off" else "auto",
    )


def _far(attention: Attention) -> str:
    """A kind of its own for keys that are longer than is told."""
    return f":{attention.key_length}" if attention.key_length > LONGEST_KEY else ""


def terms(work: Work, call: Call) -> Terms:
    """The terms of a call."""
    if call.tokens == 0:
        return _of_token(work, call)
    found: dict[str, float] = defaultdict(float)
    done = 0
    while done < call.tokens:
        rows = min(call.ubatch, call.tokens - done)
        is_last = done + rows == call.tokens
        for name, amount in _of_part(work, int(call.depth) + done, rows, call.cache, is_last=is_last).items():
            found[name] += amount
        done += rows
    return found


def waited_for(window: int | None, call: Call) -> float:
    """Cells of the cache that the slowest thread makes all wait for while one token attends, as if all had so many.

    Without flash attention every cell in the graph is multiplied. With it masked ones are skipped; but where positions
    are divided among the threads, the last of them may have nothing to do.
    """
    seen = min(call.depth, window or call.depth)
    used = call.depth + 1 if window is None else min(call.depth + 1, window + call.ubatch)
    in_graph = PART * math.ceil(used / PART)
    if call.flash == "off":
        return in_graph
    if call.kv in DIVIDED and in_graph >= DIVIDED_FROM:
        return min(call.threads * seen, in_graph)
    return seen


def _of_token(work: Work, call: Call) -> dict[str, float]:
    found: dict[str, float] = defaultdict(float)
    found["call"], found["layer"] = 1, work.layers
    kept_bytes = BLOCK_BYTES[call.kv.upper()]
    for one in work.attention:
        cells = waited_for(one.window, call)
        found[f"attend:{call.cache}{_far(one)}"] += one.elements * cells
        found["fetch"] += one.kept * cells * kept_bytes
    for matrix in work.matrices:
        found[f"read:{matrix.kind}"] += matrix.bytes_per_token
        found["values"] += matrix.values_per_token
        if matrix.routed:
            found["choose"] += matrix.used
    return found


def _of_part(work: Work, depth: int, rows: int, cache: str, *, is_last: bool) -> dict[str, float]:
    found: dict[str, float] = defaultdict(float)
    found["call"], found["layers_of_prompt"] = 1, work.layers
    found["rows"] = rows * work.layers * work.embedding
    for one in work.attention:
        found[f"attend_prompt:{cache}{_far(one)}"] += one.elements_of_prompt(depth, rows)
    for matrix in work.matrices:
        _add_matrix(found, matrix, rows, is_last=is_last)
    return found


def _add_matrix(found: dict[str, float], matrix: Matrix, rows: int, *, is_last: bool) -> None:
    if matrix.role == "last_row":
        found[f"read:{matrix.kind}"] += matrix.bytes_per_token if is_last else 0
    elif matrix.routed:
        word = "route_large" if matrix.bytes_of_expert > LARGE_EXPERT_BYTES else "route"
        found[f"{word}:{matrix.kind}"] += matrix.bytes_per_token * rows
        found["experts"] += matrix.bytes_of_prompt(rows)
        found["choose"] += matrix.used
    else:
        found[f"unpack:{matrix.kind}"] += matrix.elements * matrix.bytes_each
        found[f"multiply:{matrix.kind}"] += float(matrix.elements) * rows
