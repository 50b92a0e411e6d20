"""The nodes of profiled passes in the Trace Event Format, which Perfetto and Chrome show on a line of time."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from profiler.measure.events import Evaluated, SeenNode
from profiler.measure.profiling import last_pass

THREAD = 1
KindOf = Callable[[str, str], str]
"""What an operation and its part of the model belong to, in a word."""


def events(process: int, case: str, evaluated: Sequence[Evaluated], kind_of: KindOf) -> list[dict[str, Any]]:
    """The last watched pass of one case as a process of the trace: evaluations, and within them their nodes."""
    found = [{"ph": "M", "pid": process, "tid": THREAD, "name": "process_name", "args": {"name": case}}]
    for one in last_pass(evaluated):
        told = {"tokens": one.tokens}
        found.append(_complete(process, one.phase, one.phase, one.start_ns, one.ns, told))
        found += [
            _complete(
                process, node.name or node.op, kind_of(node.op, node.part), one.start_ns + node.start_ns, node.ns,
                _args(node),
            )
            for node in one.nodes
        ]  # fmt: skip
        found += _memory(process, one)
    return found


def _memory(process: int, one: Evaluated) -> list[dict[str, Any]]:
    """What the engine had in use after each node, as a counter beside them, where it tells."""
    return [
        {
            "ph": "C",
            "pid": process,
            "name": "memory in use",
            "ts": (one.start_ns + node.start_ns + node.ns) / 1000,
            "args": {"bytes": node.memory_bytes},
        }
        for node in one.nodes
        if node.memory_bytes is not None
    ]


def _complete(
    process: int, name: str, category: str, start_ns: int, ns: int, args: dict[str, Any]
) -> dict[str, Any]:
    """A complete event; its times are in microseconds."""
    place = {"ph": "X", "pid": process, "tid": THREAD, "ts": start_ns / 1000, "dur": ns / 1000}
    return {"name": name, "cat": category, **place, "args": args}


def _args(node: SeenNode) -> dict[str, Any]:
    told = {
        "op": node.op,
        "part": node.part,
        "layer": node.layer,
        "read_bytes": node.read_bytes,
        "multiply_adds": node.macs,
        "device": node.device,
    }
    return {name: value for name, value in told.items() if value is not None}


def document(found: Sequence[dict[str, Any]]) -> str:
    """The file."""
    return json.dumps({"traceEvents": found, "displayTimeUnit": "ns"})
