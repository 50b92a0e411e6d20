"""What a node of a ggml graph is: its operation, its part of the model, its layer, the weights it reads.

Names and operations come from the library's functions. Shapes and sources have none: they are read from the struct of
ggml.h, and only where the library's own functions agree that it lies as we think.
"""

import ctypes
import re
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

EMPTY = frozenset({"NONE", "VIEW", "RESHAPE", "PERMUTE", "TRANSPOSE"})
"""Operations that only say how memory is to be seen."""

MATRICES = frozenset({"MUL_MAT", "MUL_MAT_ID"})
_OF_WEIGHTS = re.compile(r"(?:blk\.(\d+)\.)?([A-Za-z0-9_.]+)\.(?:weight|bias|scale)$")
_LAYER = re.compile(r"(?:-|_l)(\d+)\b")
_NAMELESS = re.compile(r"(node_\d+)?(?: |$)")
"""A name that ggml gave by itself, or none, before how it is seen."""
_FUNCTIONS: Dict[str, Any] = {
    "ggml_op_desc": ctypes.c_char_p,
    "ggml_get_name": ctypes.c_void_p,
    "ggml_nelements": ctypes.c_int64,
    "ggml_nbytes": ctypes.c_size_t,
}


Place = Tuple[str, Optional[int]]
"""Part of the model, and layer."""


class Tensor(ctypes.Structure):
    """struct ggml_tensor of ggml.h."""

    _fields_ = [
        ("type", ctypes.c_int),
        ("buffer", ctypes.c_void_p),
        ("ne", ctypes.c_int64 * 4),
        ("nb", ctypes.c_size_t * 4),
        ("op", ctypes.c_int),
        ("op_params", ctypes.c_int32 * 16),
        ("flags", ctypes.c_int32),
        ("src", ctypes.c_void_p * 10),
        ("view_src", ctypes.c_void_p),
        ("view_offs", ctypes.c_size_t),
        ("data", ctypes.c_void_p),
        ("name", ctypes.c_char * 64),
    ]


class Described(NamedTuple):
    """A node without its times."""

    op: str
    part: str
    name: str
    layer: Optional[int]
    read_bytes: Optional[int]
    macs: Optional[int]


class Describer:
    """Describes the nodes of a graph by their addresses, in the order in which they ran.

    `base` is the library ggml-base.
    """

    def __init__(self, base: Any) -> None:
        self._base = base
        for name, result in _FUNCTIONS.items():
            function = getattr(base, name)
            function.restype, function.argtypes = result, [ctypes.c_void_p]

    def graph(self, addresses: List[int]) -> List[Described]:
        """All nodes of one graph, which must still be there."""
        found: List[Described] = []
        before: Place = ("", None)
        for address in addresses:
            found.append(self._node(address, before))
            before = found[-1].part, found[-1].layer
        return found

    def _node(self, address: int, before: Place) -> Described:
        op, name = self._base.ggml_op_desc(address).decode("utf-8", "replace"), self._name(address)
        node = self._seen(address)
        sources = [pointer for pointer in node.src if pointer] if node is not None else []
        names = [self._name(pointer) for pointer in sources]
        weights = next((found for found in map(_OF_WEIGHTS.match, names) if found), None)
        if weights is None:
            part, layer = _place(name, names, before)
            return Described(op, part, name, layer, None, None)
        layer = int(weights[1]) if weights[1] else _layer(name)
        read, macs = self._work(op, node, sources) if op in MATRICES else (None, None)
        return Described(op, weights[2], name, layer, read, macs)

    def _name(self, address: int) -> str:
        return ctypes.string_at(self._base.ggml_get_name(address)).decode("utf-8", "replace")

    def _seen(self, address: int) -> Optional[Tensor]:
        """The struct, if the library's functions find in it what we do."""
        node = Tensor.from_address(address)
        elements = node.ne[0] * node.ne[1] * node.ne[2] * node.ne[3]
        named = self._base.ggml_get_name(address) == address + Tensor.name.offset
        return node if named and self._base.ggml_nelements(address) == elements else None

    def _work(self, op: str, node: Any, sources: List[int]) -> Tuple[Optional[int], int]:
        """Bytes of weights that a product with a matrix reads, and its multiply-adds.

        How many experts a prompt of several tokens uses is not known beforehand.
        """
        matrix = Tensor.from_address(sources[0])
        macs = int(matrix.ne[0]) * int(self._base.ggml_nelements(ctypes.addressof(node)))
        whole = int(self._base.ggml_nbytes(sources[0]))
        if op == "MUL_MAT":
            return whole, macs
        experts, used, tokens = matrix.ne[2], node.ne[1], node.ne[2]
        return (whole * used // experts if tokens == 1 and experts else None), macs


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
