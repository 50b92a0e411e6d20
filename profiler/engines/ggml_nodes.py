"""What a node of a ggml graph is: its operation, its part of the model, its layer, what it reads and multiplies.

Names and operations come from the library's functions. Shapes and sources have none: they are read from the struct of
ggml.h, and only where the library's own functions agree that it lies as we think.
"""

import ctypes
import re
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from profiler.engines.ggml_work import Counter, Tensor
from profiler.engines.node_work import Work

EMPTY = frozenset({"NONE", "VIEW", "RESHAPE", "PERMUTE", "TRANSPOSE"})
"""Operations that only say how memory is to be seen."""

_OF_WEIGHTS = re.compile(r"(?:blk\.(\d+)\.)?([A-Za-z0-9_.]+)\.(?:weight|bias|scale)$")
_LAYER = re.compile(r"(?:-|_l)(\d+)\b")
_NAMELESS = re.compile(r"(node_\d+)?(?: |$)")
"""A name that ggml gave by itself, or none, before how it is seen."""
_FUNCTIONS: Dict[str, Any] = {
    "ggml_op_desc": ctypes.c_char_p,
    "ggml_get_name": ctypes.c_void_p,
    "ggml_nelements": ctypes.c_int64,
}


Place = Tuple[str, Optional[int]]
"""Part of the model, and layer."""


class Described(NamedTuple):
    """A node without its times."""

    op: str
    part: str
    name: str
    layer: Optional[int]
    read_bytes: Optional[int]
    macs: Optional[int]
    moved_bytes: Optional[int]


class Describer:
    """Describes the nodes of a graph by their addresses, in the order in which they ran.

    `base` is the library ggml-base.
    """

    def __init__(self, base: Any) -> None:
        self._base, self._counter = base, Counter(base)
        for name, result in _FUNCTIONS.items():
            function = getattr(base, name)
            function.restype, function.argtypes = result, [ctypes.c_void_p]

    def graph(self, addresses: List[int], depth: int) -> List[Described]:
        """All nodes of one graph, which must still be there; it was evaluated after `depth` tokens."""
        found: List[Described] = []
        before: Place = ("", None)
        for address in addresses:
            found.append(self._node(address, before, depth))
            before = found[-1].part, found[-1].layer
        return found

    def _node(self, address: int, before: Place, depth: int) -> Described:
        op, name = self._base.ggml_op_desc(address).decode("utf-8", "replace"), self._name(address)
        node = self._seen(address)
        sources = [pointer for pointer in node.src if pointer] if node is not None else []
        names = [self._name(pointer) for pointer in sources]
        weights = next((found for found in map(_OF_WEIGHTS.match, names) if found), None)
        work = Work()
        if node is not None and op not in EMPTY:
            tensors = [Tensor.from_address(pointer) for pointer in sources]
            work = self._counter.work(op, node, tensors, weights is not None, depth)
        if weights is None:
            part, layer = _place(name, names, before)
            return Described(op, part, name, layer, *work)
        layer = int(weights[1]) if weights[1] else _layer(name)
        return Described(op, weights[2], name, layer, *work)

    def _name(self, address: int) -> str:
        return ctypes.string_at(self._base.ggml_get_name(address)).decode("utf-8", "replace")

    def _seen(self, address: int) -> Optional[Tensor]:
        """The struct, if the library's functions find in it what we do."""
        node = Tensor.from_address(address)
        elements = node.ne[0] * node.ne[1] * node.ne[2] * node.ne[3]
        named = self._base.ggml_get_name(address) == address + Tensor.name.offset
        return node if named and self._base.ggml_nelements(address) == elements else None


def _place(name: str, sources: List[str], before: Place) -> Place:
    """Part and layer of a node that has no weights. Without a name it is told by its sources, or by the node before."""
    if not _NAMELESS.match(name):
        return stem(name), _layer(name)
    named = next((stem(source) for source in sources if not _NAMELESS.match(source)), "")
    return named or before[0], before[1]


def stem(name: str) -> str:
    """The name without layer and without how it is seen: cache_k of cache_k_l0 (view)."""
    return _LAYER.sub("", name.partition(" ")[0])


def _layer(name: str) -> Optional[int]:
    found = _LAYER.search(name)
    return int(found[1]) if found else None
