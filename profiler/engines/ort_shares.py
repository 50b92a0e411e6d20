"""Which provider has how much of a graph: its nodes, the products they do with weights, and the bytes of those."""

import math
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

_PRODUCTS = ("MatMul", "Gemm", "MatMulNBits")


class Amounts(NamedTuple):
    """Of one graph: nodes, products for each token and bytes of weights by provider, and the last two in all.

    What no provider names, such as nodes that were fused under another name, is in the whole alone.
    """

    by_provider: Dict[str, Tuple[int, int, int]]
    products: int
    weights: int


def amounts(path: str, session: Any) -> Optional[Amounts]:
    """Those of the graph at this path; None without the `onnx` package to read it with."""
    try:
        import onnx
    except ImportError:
        return None
    known = _by_node(onnx.load(path, load_external_data=False).graph)
    found: Dict[str, Tuple[int, int, int]] = {}
    for part in session.get_provider_graph_assignment_info():
        mine = [known.get(node.name, (0, 0)) for node in part.get_nodes()]
        nodes, products, weights = found.get(part.ep_name, (0, 0, 0))
        found[part.ep_name] = (
            nodes + len(mine),
            products + sum(one for one, _ in mine),
            weights + sum(count for _, count in mine),
        )
    return Amounts(found, sum(one for one, _ in known.values()), sum(count for _, count in known.values()))


def shares(graphs: List[Optional[Amounts]]) -> Optional[Dict[str, Any]]:
    """Nodes of all these graphs, and shares of their products and weights, by provider; None where one is not known."""
    known = [one for one in graphs if one is not None]
    if not known or len(known) < len(graphs):
        return None
    products, weights = sum(one.products for one in known), sum(one.weights for one in known)
    found = {}
    for provider in {name: None for one in known for name in one.by_provider}:
        mine = [one.by_provider.get(provider, (0, 0, 0)) for one in known]
        found[provider] = {
            "count": sum(nodes for nodes, _, _ in mine),
            "unit": "nodes",
            "arithmetic": sum(one for _, one, _ in mine) / products if products else None,
            "weights": sum(count for _, _, count in mine) / weights if weights else None,
        }
    return found


def _by_node(graph: Any) -> Dict[str, Tuple[int, int]]:
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
