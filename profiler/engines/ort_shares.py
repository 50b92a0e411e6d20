"""Which provider has how much of a graph: its nodes, the products they do with weights, and the bytes of those."""

import math
from typing import Any, Dict, Optional, Tuple

_PRODUCTS = ("MatMul", "Gemm", "MatMulNBits")

Amounts = Tuple[int, int]
"""Products for each token, and bytes."""


def shares(sessions: Dict[str, Any]) -> Optional[Dict[str, Any]]:
    """By provider, over the graphs at these paths; None without the `onnx` package to read them with.

    What a graph has and no provider names (nodes that were fused under another name) is in no share.
    """
    try:
        import onnx
    except ImportError:
        return None
    found: Dict[str, Dict[str, int]] = {}
    total = [0, 0]
    for path, session in sessions.items():
        known = _by_node(onnx.load(path, load_external_data=False).graph)
        total = [total[0] + sum(p for p, _ in known.values()), total[1] + sum(b for _, b in known.values())]
        for part in session.get_provider_graph_assignment_info():
            _add(found.setdefault(part.ep_name, {"nodes": 0, "products": 0, "bytes": 0}), part, known)
    return {
        provider: {
            "count": mine["nodes"],
            "unit": "nodes",
            "arithmetic": mine["products"] / total[0] if total[0] else None,
            "weights": mine["bytes"] / total[1] if total[1] else None,
        }
        for provider, mine in found.items()
    }


def _add(mine: Dict[str, int], part: Any, known: Dict[str, Amounts]) -> None:
    for node in part.get_nodes():
        products, count = known.get(node.name, (0, 0))
        mine["nodes"] += 1
        mine["products"] += products
        mine["bytes"] += count


def _by_node(graph: Any) -> Dict[str, Amounts]:
    weights = {item.name: item for item in graph.initializer}
    found = {}
    for node in graph.node:
        mine = [weights[name] for name in node.input if name in weights]
        if mine:
            found[node.name] = (_products(node, mine), sum(map(_bytes, mine)))
    return found


def _products(node: Any, weights: Any) -> int:
    if node.op_type not in _PRODUCTS:
        return 0
    sizes = {item.name: item.i for item in node.attribute}
    if node.op_type == "MatMulNBits":
        return int(sizes["K"] * sizes["N"])
    return max((math.prod(item.dims) for item in weights if len(item.dims) > 1), default=0)


def _bytes(item: Any) -> int:
    lengths = [int(entry.value) for entry in item.external_data if entry.key == "length"]
    return lengths[0] if lengths else item.ByteSize()
