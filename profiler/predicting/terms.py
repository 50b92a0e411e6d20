"""The physical terms of a call's duration: each is a count of something the processor does, with one cost per unit.

Decoding reads every active weight once (`read:KIND`, bytes) and ends a sum with every row of them, which counts in
short rows alone (`values`, `values:KIND`). It passes over the cache (`attend:CACHE`, elements; `attend_short:CACHE`
where heads and not cells are divided among the threads), which comes from memory once for all heads that share it
(`fetch`, bytes). A prompt takes its weights apart once for each part of `ubatch` rows (`unpack:KIND`, bytes) and
multiplies every row with them (`multiply:KIND`, products; `ends`, `ends:KIND`: as `values`). Rows of a mixture of
experts go through their experts one by one (`route:KIND`, bytes; `route_large:KIND` where the matrix of an expert does
not stay in the cache of a core), and each expert that is met at all is read (`experts`, bytes). Norms, activations and
their quantization go with rows and width (`rows`), and every graph costs something by itself (`call`) and for each
layer (`layer`, `layers_of_prompt`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from profiler.predicting.call import Call
from profiler.predicting.waiting import waited_for
from profiler.predicting.work import BLOCK_BYTES, Attention, Matrix, Work

LONGEST_KEY = 256
"""Heads of 64 and 128 elements are timed; up to twice as long ones are taken to cost as much for each element."""
IN_SHORT_ROWS = ("Q4_K", "Q6_K", "Q4_0", "Q5_K", "Q5_0")
"""Types whose rows cost another time each than those of Q8_0, by which all others are counted."""
LONG_ROW, LONG_ROW_OF_PROMPT = 2048, 4096
"""Elements. The end of a longer row costs nothing: memory is as fast for one as for the other, or the sum is."""
LARGE_EXPERT_BYTES = 2 << 20

Terms = Mapping[str, float]
"""How much of each term a call has."""


def _far(attention: Attention) -> str:
    """A kind of its own for keys that are longer than is told."""
    return f":{attention.key_length}" if attention.key_length > LONGEST_KEY else ""


def _of_short_rows(what: str, kind: str) -> str:
    """The term of rows of this type, one of its own for those that are timed in short rows too."""
    return f"{what}:{kind}" if kind in IN_SHORT_ROWS else what


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


def _of_token(work: Work, call: Call) -> dict[str, float]:
    found: dict[str, float] = defaultdict(float)
    found["call"], found["layer"] = 1, work.layers
    kept_bytes = BLOCK_BYTES[call.kv.upper()]
    for one in work.attention:
        waits = waited_for(one.heads, one.window, call)
        name = "attend_short" if waits.is_short else "attend"
        found[f"{name}:{call.cache}{_far(one)}"] += one.elements * waits.cells
        found["fetch"] += one.kept * waits.cells * kept_bytes
    for matrix in work.matrices:
        found[f"read:{matrix.kind}"] += matrix.bytes_per_token
        found[_of_short_rows("values", matrix.kind)] += matrix.short_values(LONG_ROW)
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
        found[_of_short_rows("ends", matrix.kind)] += matrix.short_values(LONG_ROW_OF_PROMPT) * rows
