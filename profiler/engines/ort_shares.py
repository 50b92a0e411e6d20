"""Which provider has how much of a graph: its nodes, the products they do with weights, and the bytes of those."""

from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from profiler.engines.ort_library import tells
from profiler.engines.ort_weights import Weights, weights_of_nodes

_NONE = Weights(0, 0)


class Amounts(NamedTuple):
    """Of one graph: nodes, products for each token and bytes of weights by provider, and the last two in all.

    What no provider names, such as nodes that were fused under another name, is in the whole alone.
    """

    by_provider: Dict[str, Tuple[int, int, int]]
    products: int
    weights: int


def amounts(path: str, session: Any) -> Optional[Amounts]:
    """Those of the graph at this path; None where it cannot be read."""
    known = weights_of_nodes(path)
    if not known or not tells(session):
        return None
    found: Dict[str, Tuple[int, int, int]] = {}
    for part in session.get_provider_graph_assignment_info():
        mine = [known.get(node.name, _NONE) for node in part.get_nodes()]
        nodes, products, weights = found.get(part.ep_name, (0, 0, 0))
        found[part.ep_name] = (
            nodes + len(mine),
            products + sum(one.products for one in mine),
            weights + sum(one.bytes for one in mine),
        )
    return Amounts(
        found, sum(one.products for one in known.values()), sum(one.bytes for one in known.values())
    )


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
