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
from profiler.engines.ort_weights import Weights, weights_of_nodes
from profiler.engines.ort_work import work
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
        self._depths: List[int] = []

    def evaluated(self, depth: int) -> None:
        """One more run of the session."""
        self._depths.append(depth)

    def finish(self) -> List[Graph]:
        """Close both sessions, which writes the profile, and read it."""
        order = getattr(self.watched, "runs", None)
        self.watched.close()
        self.plain.close()
        del self.watched, self.plain
        gc.collect()
        if order is None:
            return self._graphs(self._prefix, graph_of(self._job), self._depths)
        found = {}
        for name in dict.fromkeys(order):
            depths = [depth for of, depth in zip(order, self._depths) if of == name]  # noqa: B905
            found[name] = self._graphs(f"{self._prefix}-{name}", name, depths)
        return [found[name].pop(0) for name in order]

    def _graphs(self, prefix: str, name: str, depths: List[int]) -> List[Graph]:
        """Each run of one graph, from the files of its session."""
        files = sorted(glob.glob(glob.escape(prefix) + "*"))
        weights = weights_of_nodes(os.path.join(self._job["path"], name))
        found = graphs([event for path in files for event in _events(path)], weights, depths)
        if len(found) != len(depths):
            raise EngineFailure(
                "crashed",
                f"ONNX Runtime's profile has {len(found)} runs of {len(depths)} that were asked for",
            )
        return found


def _events(path: str) -> List[Dict[str, Any]]:
    with open(path, encoding="utf-8") as file:
        return list(json.load(file))


def graphs(events: List[Dict[str, Any]], weights: Dict[str, Weights], depths: List[int]) -> List[Graph]:
    """Each run of the session with its nodes; times are in microseconds there.

    `weights` are those of nodes by name, `depths` the tokens before each run.
    """
    runs = sorted((e for e in events if e.get("name") == RUN), key=_began)
    nodes = sorted((e for e in events if e.get("cat") == "Node" and str(e["name"]).endswith(END)), key=_began)
    found, at = [], 0
    for run, depth in zip(runs, depths):  # noqa: B905
        while at < len(nodes) and _began(nodes[at]) < _began(run):
            at += 1
        first = at
        while at < len(nodes) and _began(nodes[at]) <= _began(run) + int(run["dur"]):
            at += 1
        mine = [_node(event, _began(run), weights, depth) for event in nodes[first:at]]
        found.append(Graph(1000 * int(run["dur"]), without_watch(mine, IDLE)))
    return found


def _began(event: Dict[str, Any]) -> int:
    return int(event["ts"])


def _node(event: Dict[str, Any], began: int, weights: Dict[str, Weights], depth: int) -> Node:
    told, name = event["args"], str(event["name"])[: -len(END)]
    layer, done = _LAYER.search(name), work(told, weights.get(name), depth)
    return Node(
        op=str(told.get("op_name", "")),
        part=part_of(name),
        name=name,
        layer=int(layer[1]) if layer else None,
        start_ns=1000 * (_began(event) - began),
        ns=1000 * int(event["dur"]),
        read_bytes=done.read_bytes,
        macs=done.macs,
        device=str(told.get("provider", "")) or None,
        memory_bytes=_whole(told.get("mem_bytes_in_use")),
        moved_bytes=done.moved_bytes,
    )


def _whole(text: Any) -> Optional[int]:
    """The profile has numbers as text."""
    return int(text) if str(text).isdigit() else None


def part_of(name: str) -> str:
    """The name without its layer and other numbers: attn/qkv/MatMul of /model/layers.3/attn/qkv/MatMul."""
    found = _LAYER.search(name)
    inner = name[found.end() :] if found else _OUTER.sub("", name).lstrip("/")
    return _NUMBER.sub("", inner)
