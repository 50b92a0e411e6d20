"""ONNX Runtime with its nodes watched: a session of its own writes a profile, one event for each node that ran.

A second session without a profile tells what that costs. Which weights a node reads stands in the graph: the profile
leaves out those that a kernel has packed for itself.
"""

import gc
import glob
import json
import os
import re
from typing import Any, Callable, Dict, List, Optional

from profiler.engines.ort_library import graph_of
from profiler.engines.ort_weights import MATRICES, Weights, weights_of_nodes
from profiler.engines.protocol import EngineFailure, Graph, Job, Node
from profiler.engines.watched_nodes import without_watch

RUN, END = "model_run", "_kernel_time"
IDLE = frozenset({"Reshape"})
"""Operations that only give a result another shape."""

_LAYER = re.compile(r"(?:layers|h|blocks)[./_](\d+)[./_]")
_OUTER = re.compile(r"^/?(?:model|transformer|decoder)/")
_NUMBER = re.compile(r"\d+")


class OrtWatch:
    """A build loaded twice. A prompt is one graph, however long, or of a static build one for each chunk."""

    def __init__(self, job: Job, load: Callable[[Job], Any]) -> None:
        self._job = job
        self._prefix = os.path.join(job["scratch"], "profile")
        self.plain = load(job)
        self.watched = load(dict(job, settings=dict(job["settings"], profile=self._prefix)))
        self.piece: Optional[int] = getattr(self.plain, "chunk", None)
        self._count = 0

    def evaluated(self) -> None:
        """One more run of the session."""
        self._count += 1

    def finish(self) -> List[Graph]:
        """Close both sessions, which writes the profile, and read it."""
        order = getattr(self.watched, "runs", None)
        self.watched.close()
        self.plain.close()
        del self.watched, self.plain
        gc.collect()
        if order is None:
            found = self._graphs(self._prefix, graph_of(self._job))
        else:
            of = {name: self._graphs(f"{self._prefix}-{name}", name) for name in dict.fromkeys(order)}
            found = [of[name].pop(0) for name in order if of[name]]
        if len(found) != self._count:
            raise EngineFailure(
                "crashed",
                f"ONNX Runtime's profile has {len(found)} runs of {self._count} that were asked for",
            )
        return found

    def _graphs(self, prefix: str, name: str) -> List[Graph]:
        """Each run of one graph, from the files of its session."""
        files = sorted(glob.glob(glob.escape(prefix) + "*"))
        weights = weights_of_nodes(os.path.join(self._job["path"], name))
        return graphs([event for path in files for event in _events(path)], weights)


def _events(path: str) -> List[Dict[str, Any]]:
    with open(path, encoding="utf-8") as file:
        return list(json.load(file))


def graphs(events: List[Dict[str, Any]], weights: Dict[str, Weights]) -> List[Graph]:
    """Each run of the session with its nodes; times are in microseconds there. `weights` are those of nodes by name."""
    runs = sorted((e for e in events if e.get("name") == RUN), key=_began)
    nodes = sorted((e for e in events if e.get("cat") == "Node" and str(e["name"]).endswith(END)), key=_began)
    found, at = [], 0
    for run in runs:
        while at < len(nodes) and _began(nodes[at]) < _began(run):
            at += 1
        first = at
        while at < len(nodes) and _began(nodes[at]) <= _began(run) + int(run["dur"]):
            at += 1
        mine = [_node(event, _began(run), weights) for event in nodes[first:at]]
        found.append(Graph(1000 * int(run["dur"]), without_watch(mine, IDLE)))
    return found


def _began(event: Dict[str, Any]) -> int:
    return int(event["ts"])


def _node(event: Dict[str, Any], began: int, weights: Dict[str, Weights]) -> Node:
    told, name = event["args"], str(event["name"])[: -len(END)]
    op, layer = str(told.get("op_name", "")), _LAYER.search(name)
    matrix = op in MATRICES and name in weights
    return Node(
        op=op,
        part=part_of(name),
        name=name,
        layer=int(layer[1]) if layer else None,
        start_ns=1000 * (_began(event) - began),
        ns=1000 * int(event["dur"]),
        read_bytes=weights[name].bytes if matrix else None,
        macs=_macs(told) if matrix else None,
        device=str(told.get("provider", "")) or None,
        memory_bytes=_whole(told.get("mem_bytes_in_use")),
    )


def _whole(text: Any) -> Optional[int]:
    """The profile has numbers as text."""
    return int(text) if str(text).isdigit() else None


def part_of(name: str) -> str:
    """The name without its layer and other numbers: attn/qkv/MatMul of /model/layers.3/attn/qkv/MatMul."""
    found = _LAYER.search(name)
    inner = name[found.end() :] if found else _OUTER.sub("", name).lstrip("/")
    return _NUMBER.sub("", inner)


def _macs(told: Dict[str, Any]) -> Optional[int]:
    """Multiply-adds of a product: the elements of its result times the length of a row of its first input."""
    try:
        (rows,), (result,) = told["input_type_shape"][0].values(), told["output_type_shape"][0].values()
        product = int(rows[-1])
    except (KeyError, IndexError, ValueError, TypeError):
        return None
    for length in result:
        product *= int(length)
    return product
