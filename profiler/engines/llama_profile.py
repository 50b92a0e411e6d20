"""llama.cpp with its nodes watched: its evaluation callback is asked before and told after each of them.

A node is then computed alone, so that its threads meet once more than usual. Two contexts on one model, one with the
callback and one without, tell what that costs.
"""

import ctypes
import time
from array import array
from typing import Any, Callable, List, Optional

from profiler.engines.ggml_nodes import EMPTY, Describer
from profiler.engines.protocol import Engine, Graph, Node
from profiler.engines.watched_nodes import without_watch

CALLBACK = ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_void_p, ctypes.c_bool, ctypes.c_void_p)
"""ggml_backend_sched_eval_callback of ggml-backend.h."""


class Stamps:
    """The callback, and what it saw since it was last cleared: each node's address, its start and its end."""

    def __init__(self) -> None:
        self.addresses = array("Q")
        self.times = array("q")
        self.callback = CALLBACK(self._callback())

    def _callback(self) -> Callable[..., bool]:
        clock, address, at = time.perf_counter_ns, self.addresses.append, self.times.append

        def seen(tensor: int, ask: bool, _: Any) -> bool:
            if ask:
                address(tensor)
                at(clock())
            else:
                at(clock())
            return True

        return seen

    def clear(self) -> None:
        """Forget all nodes."""
        del self.addresses[:], self.times[:]


class LlamaWatch:
    """Two contexts on one model. `piece` keeps each call to one graph, whose nodes are gone with the next.

    `device` is where all nodes run; None where they may run on several.
    """

    def __init__(
        self, plain: Engine, watched: Any, stamps: Stamps, base: Any, piece: int, device: Optional[str]
    ) -> None:
        self._device = device
        self.plain, self.watched, self.piece = plain, watched, piece
        self._stamps, self._describer = stamps, Describer(base)
        self._graphs: List[Graph] = []

    def evaluated(self, depth: int) -> None:
        """Describe the nodes of the graph that has just been evaluated, while they are there."""
        begin, end = self.watched.decoded
        described = self._describer.graph(list(self._stamps.addresses), depth)
        times = self._stamps.times
        nodes = [
            Node(
                one.op,
                one.part,
                one.name,
                one.layer,
                start - begin,
                done - start,
                one.read_bytes,
                one.macs,
                self._device,
                moved_bytes=one.moved_bytes,
            )
            for one, start, done in zip(described, times[::2], times[1::2])  # noqa: B905
        ]
        computing = [node for node in without_watch(nodes, EMPTY) if node.op not in EMPTY]
        self._graphs.append(Graph(end - begin, computing))
        self._stamps.clear()

    def finish(self) -> List[Graph]:
        """Close both contexts and the model."""
        self.watched.close()
        self.plain.close()
        return self._graphs
