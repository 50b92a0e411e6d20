"""What a model does for one prompt and for one decoded token, counted from the header of its file.

The counts follow llama.cpp's graphs: all rows of a prompt pass through a matrix at once, in parts of `ubatch`; the
output matrix and the feed-forward part of the last layer see the last row alone, since only that one is asked for. In
the graph of `WHOLE_LAST_LAYER` all rows pass through the last layer too (seen by its evaluation callback, 0.3.36).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Literal

import msgspec
from msgspec.structs import replace

from profiler.builds.describe import INPUT, OUTPUT, GgufModel, describe
from profiler.builds.gguf import GgufHeader, TensorInfo
from profiler.builds.gguf_types import TENSOR_TYPES

LAYER = re.compile(r"blk\.(\d+)\.(.+)\.weight\Z")
BLOCK_BYTES = {kind.name: kind.block_bytes / kind.block for kind in TENSOR_TYPES.values()}
WHOLE_LAST_LAYER = frozenset({"gpt-oss"})
ROUTER, AS_ROUTER = "ffn_gate_inp", "F16"
"""Routers are small and in F32, which is rarely timed by itself: a byte of them is counted as one of this type."""
Role = Literal["all_rows", "last_row"]


class Matrix(msgspec.Struct, frozen=True, kw_only=True):
    """One weight matrix: `elements` in all, `bytes_each` of one. Each of its rows has `row` elements, and gives one
    value. Where it is `routed` it is that of `experts`, of which a token passes `used`."""

    kind: str
    elements: int
    row: int
    bytes_each: float
    role: Role
    routed: bool = False
    experts: int = 1
    used: int = 1

    @property
    def bytes_of_expert(self) -> float:
        """All of it, or that of one expert."""
        return self.elements / self.experts * self.bytes_each

    @property
    def bytes_per_token(self) -> float:
        """What one token reads of it."""
        return self.bytes_of_expert * self.used

    def short_values(self, long_row: int) -> float:
        """How many rows one token is multiplied with, each counted by what it lacks of a long one."""
        return self.elements / self.experts / self.row * self.used * max(0.0, 1 - self.row / long_row)

    def bytes_of_prompt(self, rows: int) -> float:
        """What is read for a prompt of so many rows: of experts those that one of them goes to, chosen evenly."""
        met = self.experts * (1 - (1 - self.used / self.experts) ** rows)
        return self.bytes_of_expert * met


class Attention(msgspec.Struct, frozen=True, kw_only=True):
    """The heads of one layer, and how many keys each token keeps for them: elements of a key, of key and value, the
    window if there is one."""

    heads: int
    kv_heads: float
    key_length: int
    lengths: int
    window: int | None = None

    @property
    def elements(self) -> float:
        """Elements of keys and values that one token passes over for each one before it."""
        return self.heads * self.lengths

    @property
    def kept(self) -> float:
        """Elements that the cache keeps of each token; several heads may pass over each."""
        return self.kv_heads * self.lengths

    def elements_of_prompt(self, depth: int, tokens: int) -> float:
        """Those of a prompt, each of whose tokens attends to those before it."""
        return self.heads * self.lengths * _sum_of_depths(depth, tokens, self.window)


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """A model as work: its matrices, what attention does in each layer, and how many operators its graph has.

    `attention` says what the heads of each layer that attends do.
    """

    matrices: tuple[Matrix, ...]
    attention: tuple[Attention, ...]
    layers: int
    embedding: int
    vocabulary: int
    cached_elements: tuple[tuple[int, int | None], ...]


def work_of(header: GgufHeader) -> Work:
    """The work of a language model. Raises BadModelFile when `header` describes none."""
    model = describe(header)
    return Work(
        matrices=tuple(_matrices(header, model)),
        attention=tuple(
            Attention(
                heads=heads,
                key_length=model.key_length,
                lengths=model.key_length + model.value_length,
                kv_heads=layer.elements / (model.key_length + model.value_length),
                window=layer.window,
            )
            for heads, layer in zip(model.heads, model.cache, strict=True)
            if layer.elements
        ),
        layers=model.layers,
        embedding=model.embedding,
        vocabulary=model.vocabulary or 0,
        cached_elements=tuple((layer.elements, layer.window) for layer in model.cache if layer.elements),
    )


def _matrices(header: GgufHeader, model: GgufModel) -> Iterator[Matrix]:
    for tensor in header.tensors:
        if tensor.name == OUTPUT or (tensor.name == INPUT and model.tied_embedding):
            yield _matrix(tensor, "last_row")
        place = LAYER.fullmatch(tensor.name)
        if place and len(tensor.shape) > 1 and int(place[1]) < model.layers:
            yield _of_layer(tensor, int(place[1]), place[2], model)


def _of_layer(tensor: TensorInfo, number: int, name: str, model: GgufModel) -> Matrix:
    cut = number == model.layers - 1 and name.startswith("ffn") and model.architecture not in WHOLE_LAST_LAYER
    matrix = _matrix(tensor, "last_row" if cut else "all_rows")
    if name == ROUTER:
        return replace(matrix, kind=AS_ROUTER)
    if not name.endswith("exps"):
        return matrix
    experts = model.experts or 1
    return replace(matrix, routed=True, experts=experts, used=min(model.experts_used or 1, experts))


def _matrix(tensor: TensorInfo, role: Role) -> Matrix:
    return Matrix(
        kind=tensor.type_name,
        elements=math.prod(tensor.shape),
        row=tensor.shape[0],
        bytes_each=BLOCK_BYTES[tensor.type_name],
        role=role,
    )


def weights_per_token(work: Work) -> float:
    """Bytes of weights that are read for one token."""
    return sum(matrix.bytes_per_token for matrix in work.matrices)


def _sum_of_depths(depth: int, tokens: int, window: int | None) -> float:
    """min(depth + i, window), summed over the tokens i of a prompt."""
    last = depth + tokens
    if window is None or last <= window:
        return tokens * (depth + last + 1) / 2
    growing = max(0, window - depth)
    return growing * (depth + depth + growing + 1) / 2 + (tokens - growing) * window


def cached_bytes(work: Work, depth: float, bytes_per_element: float) -> float:
    """Bytes of the KV cache read for one token after `depth` others."""
    return bytes_per_element * sum(n * min(depth, window or depth) for n, window in work.cached_elements)
