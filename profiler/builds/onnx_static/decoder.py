"""The graph of a decoder in which every length is fixed: so many new tokens behind so many rows of the cache.

Its operators are those of opset 23 alone, beside the MatMulNBits of quantized matrices. The cache is an input, and
the rows of the new tokens are outputs, which the host copies into it.
"""

from __future__ import annotations

import numpy as np

from profiler.builds.onnx_direct.attention import write_rotations
from profiler.builds.onnx_direct.decoder import logits_of, scaled, through_layers
from profiler.builds.onnx_direct.writing import Writing
from profiler.builds.onnx_static.attention import attend


def write_decoder(to: Writing, tokens: int, past: int) -> None:
    """All nodes and weights, from the ids of `tokens` tokens to the logits of the one at `last_position` of them."""
    _inputs(to, tokens, past)
    _rotations(to, past + 1)
    _mask(to)
    _head(to, through_layers(to, _embedded(to), attend))


def _inputs(to: Writing, tokens: int, past: int) -> None:
    """`mask` is added to the scores: 0 where a new token (row) attends to a past or new one (column), else far less."""
    shape, graph = to.shape, to.graph
    graph.input("input_ids", "int32", [1, tokens])
    graph.input("position_ids", "int32", [tokens])
    graph.input("last_position", "int32", [1])
    graph.input("mask", "float32", [1, 1, tokens, past + tokens])
    for layer in range(shape.layers):
        for what in ("key", "value"):
            graph.input(f"past_key_values.{layer}.{what}", "float32", [1, shape.kv_heads, past, shape.head])
            graph.output(f"present.{layer}.{what}", "float32", [1, shape.kv_heads, tokens, shape.head])


def _rotations(to: Writing, positions: int) -> None:
    """The rows of the tables at the positions of the new tokens, (1, 1, tokens, half of what is rotated)."""
    for table in write_rotations(to, positions, 1, 1):
        to.graph.node("Gather", [table, "position_ids"], table.removesuffix("_cache"), axis=2)


def _mask(to: Writing) -> None:
    """The queries of a KV head are the rows of one matrix, head after head: each head sees the same."""
    group = to.shape.heads // to.shape.kv_heads
    to.graph.node("Concat", ["mask"] * group, "mask_of_group", axis=2)


def _embedded(to: Writing) -> str:
    """The rows of the table by token id, (1, tokens, embedding). Only a table of floats is looked up everywhere."""
    shape, found = to.shape, "/model/embeddings"
    to.matrices.embed_floats("token_embd.weight", shape.vocabulary, shape.embedding, "input_ids", found)
    return scaled(to, found)


def _head(to: Writing, streams: tuple[str, str]) -> None:
    """The logits of one position: a chunk may be padded behind it."""
    shape, graph = to.shape, to.graph
    stream, branch = (
        graph.node("Gather", [name, "last_position"], f"/model/head/last.{n}", axis=1)
        for n, name in enumerate(streams)
    )
    graph.constant("one_each", np.array([1, 1, shape.vocabulary], np.int64))
    graph.node("Reshape", [logits_of(to, (stream, branch)), "one_each"], "logits")
    graph.output("logits", "float32", [1, 1, shape.vocabulary])
