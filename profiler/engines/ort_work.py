"""What a node of an ONNX graph reads, writes and multiplies, by its event in ONNX Runtime's profile.

Sizes there are in bytes, but for weights that a kernel has packed for itself: those are counted in the graph.
"""

from typing import Any, Dict, List, Optional, Tuple

from profiler.engines.node_work import Work, pairs
from profiler.engines.ort_weights import MATRICES, Weights

MOVE_NOTHING = frozenset({"Reshape", "Shape", "Squeeze", "Unsqueeze", "Identity"})
"""Operations that move nothing: they give a result another shape, or tell it."""

GATHERING = frozenset({"Gather", "GatherBlockQuantized", "GatherElements", "GatherND", "Slice"})
"""Operations that read as much as they write, however large what they choose from."""

ATTENTION = "GroupQueryAttention"
_BYTES = {"float": 4, "float16": 2, "bfloat16": 2}


def work(told: Dict[str, Any], weights: Optional[Weights], depth: int) -> Work:
    """That of a node with these weights, of a graph that is evaluated after `depth` tokens."""
    op = str(told.get("op_name", ""))
    try:
        if op == ATTENTION:
            return _attention(told, depth)
        written = int(told["output_size"])
        if op in MOVE_NOTHING or op in GATHERING:
            return Work(moved_bytes=0 if op in MOVE_NOTHING else 2 * written)
        stored = weights.bytes if weights is not None else int(told["parameter_size"])
        moved = int(told["activation_size"]) + stored + written
        if op not in MATRICES:
            return Work(moved_bytes=moved)
        return Work(stored if weights is not None else None, _product(told), moved)
    except (KeyError, IndexError, ValueError, TypeError):
        return Work()


def _product(told: Dict[str, Any]) -> int:
    """The elements of the result times the length of a row of the first input."""
    product = _shape(told["input_type_shape"][0])[-1]
    for length in _shape(told["output_type_shape"][0]):
        product *= length
    return product


def _attention(told: Dict[str, Any], depth: int) -> Work:
    """Queries, keys and values; of the cells of the cache those that are filled."""
    result, (kind, kept) = _shape(told["output_type_shape"][0]), _only(told["output_type_shape"][1])
    tokens, (_, kv_heads, cells, length) = result[1], kept
    macs = 2 * result[2] * pairs(depth, tokens, cells)
    asked = 1
    for side in _shape(told["input_type_shape"][0]):
        asked *= side
    elements = asked + tokens * result[2] + 2 * kv_heads * length * min(depth + tokens, cells)
    return Work(macs=macs, moved_bytes=_BYTES[kind] * elements)


def _shape(typed: Any) -> List[int]:
    return _only(typed)[1]


def _only(typed: Any) -> Tuple[str, List[int]]:
    """Type and shape of one tensor."""
    ((kind, shape),) = typed.items()
    return str(kind), [int(side) for side in shape]
