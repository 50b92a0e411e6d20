"""Matrices of a graph: each GGUF tensor, or several that read the same input, as the nodes that multiply by it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain

import msgspec
import numpy as np

from profiler.builds.gguf import TensorInfo
from profiler.builds.onnx_direct.blocks import CARRIED, Bytes, Carried, Codes, Floats, packed
from profiler.builds.onnx_direct.graph import Graph
from profiler.builds.onnx_direct.operators import Operators
from profiler.builds.onnx_direct.source import Source

OFFSET_BLOCK = 32

FUSED = "/fused"
"""What the name of several matrices stored as one ends with."""

BIAS = ".bias"
"""What the name of their biases ends with."""


class Part(msgspec.Struct, frozen=True):
    """A GGUF tensor of `rows` rows; `heads` where its rows are rotary pairs to be put in halves. `bias` is the
    tensor that is added to its product, if the file has it."""

    tensor: str
    rows: int
    heads: int | None = None
    bias: str | None = None


class Matrices:
    """Writes weights into the data file once, and nodes that use them. Types that are not `carried` become float32."""

    def __init__(
        self, source: Source, graph: Graph, operators: Operators, carried: Mapping[str, Carried] = CARRIED
    ) -> None:
        self._source, self._graph, self._operators, self._carried = source, graph, operators, carried
        self._sums: dict[str, str] = {}

    def multiply(self, parts: Sequence[Part], columns: int, x: str, name: str) -> list[str]:
        """x (tokens, columns) times these matrices: one result for all where they share a kind, else one each."""
        found = [self._source.find(part.tensor, columns, part.rows) for part in parts]
        if len({self._kind(tensor) for tensor in found}) == 1:
            return [self._product(list(zip(parts, found, strict=True)), columns, x, name)]
        return [
            self._product([pair], columns, x, f"{name}.{n}")
            for n, pair in enumerate(zip(parts, found, strict=True))
        ]

    def embed(self, tensor: str, rows: int, columns: int, ids: str, name: str) -> None:
        """Rows of a table by token id, as (batch, tokens, columns) under `name`."""
        found = self._source.find(tensor, columns, rows)
        kind = self._carried.get(found.type_name)
        if kind is None:
            self.embed_floats(tensor, rows, columns, ids, name)
            return
        self._store([(Part(tensor, rows), found)], columns, tensor)
        row_bytes = columns * kind.bits // 8
        self._graph.data.alias(f"{tensor}.rows", f"{tensor}.codes", (rows, row_bytes))
        looked_up = name if not kind.has_minimum else f"{name}/scaled"
        self._graph.node(
            "GatherBlockQuantized",
            [f"{tensor}.rows", ids, f"{tensor}.scales", *_zeros(tensor, kind)],
            looked_up,
            bits=kind.bits,
            block_size=kind.block,
            gather_axis=0,
            quantize_axis=1,
        )
        if kind.has_minimum:
            self._add_row_offsets(tensor, columns, ids, looked_up, name)

    def embed_floats(self, tensor: str, rows: int, columns: int, ids: str, name: str) -> None:
        """The same from a table of float32, whatever the type of the tensor."""
        found = self._source.find(tensor, columns, rows)
        self._graph.data.add(tensor, "float32", (rows, columns), self._source.floats(found))
        self._graph.node("Gather", [tensor, ids], name, axis=0)

    def _add_row_offsets(self, tensor: str, columns: int, ids: str, scaled: str, name: str) -> None:
        """Offsets are kept as (blocks, rows), as the head needs them: a token's are a column."""
        graph = self._graph
        graph.constant("block_rows", np.array([-1, columns // OFFSET_BLOCK, OFFSET_BLOCK], np.int64))
        graph.constant("offset_rows", np.array([-1, columns // OFFSET_BLOCK, 1], np.int64))
        gathered = graph.node("Gather", [f"{tensor}.offsets", ids], f"{name}/offsets/gathered", axis=1)
        offsets = graph.node("Transpose", [gathered], f"{name}/offsets", perm=[1, 2, 0])
        columns_of = graph.node("Reshape", [offsets, "offset_rows"], f"{name}/offsets/column")
        blocks = graph.node("Reshape", [scaled, "block_rows"], f"{name}/blocks")
        graph.node("Add", [blocks, columns_of], name)

    def _product(self, found: list[tuple[Part, TensorInfo]], columns: int, x: str, name: str) -> str:
        stored = found[0][0].tensor if len(found) == 1 else name + FUSED
        rows = sum(part.rows for part, _ in found)
        kind = self._carried.get(found[0][1].type_name)
        self._store(found, columns, stored)
        bias = self._bias([part for part, _ in found], stored)
        if kind is None:
            return self._operators.product(self._graph, x, stored, bias, (rows, columns), name)
        product = f"{name}/scaled" if kind.has_minimum else name
        blocks = [f"{stored}.codes", f"{stored}.scales", *_zeros(stored, kind)]
        how = {"K": columns, "N": rows, "bits": kind.bits, "block_size": kind.block}
        self._operators.product_of_blocks(self._graph, x, blocks, bias, how, product)
        if kind.has_minimum:
            sums = self._block_sums(x, columns)
            self._operators.product_added(self._graph, sums, f"{stored}.offsets", product, name)
        return name

    def _bias(self, parts: Sequence[Part], stored: str) -> list[str]:
        """The biases of these matrices as one input, zeros for those without; nothing where none has one."""
        names = [part.bias if part.bias in self._source.tensors else None for part in parts]
        if not any(names):
            return []
        pairs = zip(parts, names, strict=True)
        biases = [
            self._source.vector(name, part.rows) if name else np.zeros(part.rows, np.float32)
            for part, name in pairs
        ]
        self._graph.data.add(f"{stored}{BIAS}", "float32", (sum(part.rows for part in parts),), biases)
        return [f"{stored}{BIAS}"]

    def _block_sums(self, x: str, columns: int) -> str:
        """Sums of 32 neighbours of x, made once for all matrices that read it."""
        if x not in self._sums:
            blocks = f"blocks_of_{columns}"
            self._graph.constant(blocks, np.array([-1, columns // OFFSET_BLOCK, OFFSET_BLOCK], np.int64))
            self._graph.constant("second_axis", np.array([2], np.int64))
            parted = self._graph.node("Reshape", [x, blocks], f"{x}/blocks")
            self._sums[x] = self._graph.node(
                "ReduceSum", [parted, "second_axis"], f"{x}/block_sums", keepdims=0
            )
        return self._sums[x]

    def _store(self, found: list[tuple[Part, TensorInfo]], columns: int, name: str) -> None:
        """The tensors one below the other, once: codes, scales and offsets, or floats."""
        data, rows = self._graph.data, sum(part.rows for part, _ in found)
        kind = self._carried.get(found[0][1].type_name)
        if kind is None:
            parts = (self._source.floats(tensor, part.heads) for part, tensor in found)
            data.add(name, "float32", (rows, columns), chain.from_iterable(parts))
            return
        if f"{name}.codes" in data.tensors:
            return
        rest = _Rest(rows, columns, kind)
        shape = (rows, columns // kind.block, kind.block * kind.bits // 8)
        data.add(f"{name}.codes", "uint8", shape, rest.codes(self._chunks(found), kind.bits))
        data.add(f"{name}.scales", "float32", rest.scales.shape, [rest.scales])
        if kind.has_minimum:
            zeros = packed(rest.zeros, kind.bits)
            data.add(f"{name}.zeros", "uint8", zeros.shape, [zeros])
            data.add(f"{name}.offsets", "float32", rest.offsets.shape, [rest.offsets])

    def _kind(self, tensor: TensorInfo) -> tuple[int, int, bool] | None:
        """What must agree for matrices to be one: bits, block, minimum; None for floats."""
        kind = self._carried.get(tensor.type_name)
        return None if kind is None else (kind.bits, kind.block, kind.has_minimum)

    def _chunks(self, found: list[tuple[Part, TensorInfo]]) -> Iterator[Codes]:
        return chain.from_iterable(self._source.codes(tensor, part.heads) for part, tensor in found)


class _Rest:
    """Scales and zeros (rows, blocks) and offsets (blocks, rows), collected while the codes are written."""

    def __init__(self, rows: int, columns: int, kind: Carried) -> None:
        self.scales: Floats = np.empty((rows, columns // kind.block), np.float32)
        blocks = columns // OFFSET_BLOCK if kind.has_minimum else 0
        self.zeros: Bytes = np.empty((rows, blocks), np.uint8)
        self.offsets: Floats = np.empty((blocks, rows), np.float32)

    def codes(self, chunks: Iterable[Codes], bits: int) -> Iterator[Bytes]:
        """The codes of each chunk as they are stored."""
        first = 0
        for chunk in chunks:
            last = first + chunk.codes.shape[0]
            self.scales[first:last] = chunk.scales
            if chunk.zeros is not None and chunk.offsets is not None:
                self.zeros[first:last] = chunk.zeros
                self.offsets[:, first:last] = chunk.offsets.T
            first = last
            yield packed(chunk.codes, bits)


def _zeros(stored: str, kind: Carried) -> list[str]:
    """The zeros of a matrix as an input, where its type has a minimum."""
    return [f"{stored}.zeros"] if kind.has_minimum else []
