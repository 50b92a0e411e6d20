"""What a node of a ggml graph reads, writes and multiplies, counted from the struct of ggml.h."""

import ctypes
from typing import Any, List

from profiler.engines.node_work import Work, pairs

MATRICES = frozenset({"MUL_MAT", "MUL_MAT_ID"})


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


class Counter:
    """Counts with the functions of the library ggml-base."""

    def __init__(self, base: Any) -> None:
        self._base = base
        for name, result in (("ggml_type_size", ctypes.c_size_t), ("ggml_blck_size", ctypes.c_int64)):
            function = getattr(base, name)
            function.restype, function.argtypes = result, [ctypes.c_int]

    def work(self, op: str, node: Any, sources: List[Any], has_weights: bool, depth: int) -> Work:
        """Those of a node with these sources, of a graph that is evaluated after `depth` tokens."""
        if op == "FLASH_ATTN_EXT":
            return self._attention(node, sources, depth)
        if op in MATRICES:
            return self._product(op, node, sources, has_weights)
        if op == "GET_ROWS":
            rows, table = _elements(sources[1]), sources[0]
            return Work(moved_bytes=self._size(table.type, rows * table.ne[0]) + self._bytes(node))
        if op == "SET_ROWS":
            written = self._size(node.type, _elements(sources[0]))
            return Work(moved_bytes=self._bytes(sources[0]) + written)
        return Work(moved_bytes=sum(map(self._bytes, [node, *sources])))

    def _product(self, op: str, node: Any, sources: List[Any], has_weights: bool) -> Work:
        """How many experts a prompt of several tokens uses is not known beforehand."""
        matrix = sources[0]
        macs, read = matrix.ne[0] * _elements(node), self._bytes(matrix)
        if op == "MUL_MAT_ID":
            experts, used, tokens = matrix.ne[2], node.ne[1], node.ne[2]
            if tokens != 1 or not experts:
                return Work(macs=macs)
            read = read * used // experts
        moved = read + self._bytes(sources[1]) + self._bytes(node)
        return Work(read if has_weights else None, macs, moved)

    def _attention(self, node: Any, sources: List[Any], depth: int) -> Work:
        """Queries, keys and values; of the cells in the graph those that are not masked."""
        query, key, value = sources[:3]
        tokens, heads, cells = query.ne[1], query.ne[2], max(1, key.ne[1])
        macs = (key.ne[0] + value.ne[0]) * heads * pairs(depth, tokens, cells)
        cached = (self._bytes(key) + self._bytes(value)) * min(depth + tokens, cells) // cells
        return Work(macs=macs, moved_bytes=self._bytes(query) + cached + self._bytes(node))

    def _bytes(self, tensor: Any) -> int:
        return self._size(tensor.type, _elements(tensor))

    def _size(self, kind: int, elements: int) -> int:
        """Of elements, however they are seen: the span of a view may be longer."""
        block = int(self._base.ggml_blck_size(kind))
        return elements * int(self._base.ggml_type_size(kind)) // block if block else 0


def _elements(tensor: Any) -> int:
    return int(tensor.ne[0] * tensor.ne[1] * tensor.ne[2] * tensor.ne[3])
