"""What watching takes of each node, and how it is taken off again."""

from statistics import median
from typing import AbstractSet, List

from profiler.engines.protocol import Node


def without_watch(nodes: List[Node], idle: AbstractSet[str]) -> List[Node]:
    """The nodes, each without what watching it took: as long as one of the operations that compute nothing (`idle`)."""
    times = [node.ns for node in nodes if node.op in idle]
    taken = int(median(times)) if times else 0
    return [node._replace(ns=max(0, node.ns - taken)) for node in nodes]
