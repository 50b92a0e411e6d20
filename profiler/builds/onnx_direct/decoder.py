"""The graph of a decoder: opset 21 and ONNX Runtime's contributed operators.

The residual stream is kept as (tokens, embedding): the offsets of block types with a minimum are then one
Gemm on the block sums of its input, and one block sum serves all matrices that read the same input.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from profiler.builds.onnx_direct import norms
from profiler.builds.onnx_direct.attention import attend, write_rotations
from profiler.builds.onnx_direct.feed_forward import feed_forward
from profiler.builds.onnx_direct.matrices import Part
from profiler.builds.onnx_direct.tensors import last_norm, norm
from profiler.builds.onnx_direct.writing import Writing

Attend = Callable[[Writing, int, str], str]
"""Writes the branch of attention of a layer, from its normed input."""


def write_decoder(to: Writing) -> None:
    """All nodes and weights of the model, from token ids to the logits of the last position."""
    _inputs(to)
    _lengths(to)
    write_rotations(to, to.shape.context)
    _head(to, through_layers(to, _embedded(to), attend))


def through_layers(to: Writing, stream: str, attend: Attend) -> tuple[str, str]:
    """The residual stream after all layers, and the branch of the last one, which is not added yet."""
    normed = norms.alone(to, norm(to.shape, 0, "attn_norm"), stream, "/model/layers.0/input_norm")
    for layer in range(to.shape.layers):
        branch = norms.of_branch(to, attend(to, layer, normed), layer, "post_attention_norm")
        stream, normed = norms.added(to, (stream, branch), layer, "ffn_norm")
        branch = norms.of_branch(to, feed_forward(to, layer, normed), layer, "post_ffw_norm")
        if layer + 1 < to.shape.layers:
            stream, normed = norms.added(to, (stream, branch), layer + 1, "attn_norm")
    return stream, branch


def _inputs(to: Writing) -> None:
    shape, graph = to.shape, to.graph
    graph.input("input_ids", "int64", ["batch_size", "sequence_length"])
    graph.input("attention_mask", "int64", ["batch_size", "total_sequence_length"])
    for layer in range(shape.layers):
        for what in ("key", "value"):
            past: list[int | str] = ["batch_size", shape.kv_heads, "past_sequence_length", shape.head]
            present: list[int | str] = ["batch_size", shape.kv_heads, "total_sequence_length", shape.head]
            graph.input(f"past_key_values.{layer}.{what}", "float32", past)
            graph.output(f"present.{layer}.{what}", "float32", present)


def _lengths(to: Writing) -> None:
    """What attention wants to know of the mask, and the shape that splits tokens by batch again."""
    graph = to.graph
    graph.constant("one", np.array([1], np.int64))
    graph.constant("flat_rows", np.array([-1, to.shape.embedding], np.int64))
    counted = graph.node("ReduceSum", ["attention_mask", "one"], "/model/mask/counted", keepdims=0)
    last = graph.node("Sub", [counted, "one"], "/model/mask/last")
    graph.node("Cast", [last], "seqlens_k", to="int32")
    lengths = graph.node("Shape", ["attention_mask"], "/model/mask/lengths")
    graph.constant("second", np.array(1, np.int64))
    total = graph.node("Gather", [lengths, "second"], "/model/mask/total", axis=0)
    graph.node("Cast", [total], "total_sequence_length", to="int32")
    graph.node("Shape", ["input_ids"], "/model/input_shape")
    graph.constant("rest", np.array([-1], np.int64))
    graph.node("Concat", ["/model/input_shape", "rest"], "by_token", axis=0)


def _embedded(to: Writing) -> str:
    """The rows of the table by token id, (tokens, embedding), scaled where the architecture does so."""
    shape = to.shape
    to.matrices.embed(
        "token_embd.weight", shape.vocabulary, shape.embedding, "input_ids", "/model/embeddings"
    )
    return scaled(to, to.graph.node("Reshape", ["/model/embeddings", "flat_rows"], "/model/embeddings/flat"))


def scaled(to: Writing, embeddings: str) -> str:
    """Embeddings times the root of their width, where the architecture does so."""
    if not to.architecture.scaled_embeddings:
        return embeddings
    to.graph.constant("embedding_scale", np.array(math.sqrt(to.shape.embedding), np.float32))
    return to.graph.node("Mul", [embeddings, "embedding_scale"], "/model/embeddings/grown")


def _head(to: Writing, streams: tuple[str, str]) -> None:
    """Logits of the last position: the only ones that generation needs."""
    shape, graph = to.shape, to.graph
    graph.constant("last", np.array([-1], np.int64))
    graph.constant("end", np.array([2**31 - 1], np.int64))
    stream, branch = (_last(to, name, n) for n, name in enumerate(streams))
    graph.constant("one_each", np.array([-1, 1, shape.vocabulary], np.int64))
    graph.node("Reshape", [logits_of(to, (stream, branch)), "one_each"], "logits")
    graph.output("logits", "float32", ["batch_size", 1, shape.vocabulary])


def logits_of(to: Writing, streams: tuple[str, str]) -> str:
    """The logits of every row of stream and branch, (rows, vocabulary)."""
    shape = to.shape
    _, normed = norms.added_as(to, streams, last_norm(shape), "/model/head/norm")
    name = "token_embd.weight" if shape.tied else "output.weight"
    logits = to.matrices.multiply([Part(name, shape.vocabulary)], shape.embedding, normed, "/lm_head")[0]
    return _capped(to, logits)


def _last(to: Writing, stream: str, n: int) -> str:
    tokens = to.graph.node("Reshape", [stream, "by_token"], f"/model/head/tokens.{n}")
    last = to.graph.node("Slice", [tokens, "last", "end", "one"], f"/model/head/last.{n}")
    return to.graph.node("Reshape", [last, "flat_rows"], f"/model/head/flat.{n}")


def _capped(to: Writing, logits: str) -> str:
    """cap * tanh(logits / cap), where the model has a cap."""
    if to.shape.cap is None:
        return logits
    to.graph.constant("cap", np.array(to.shape.cap, np.float32))
    small = to.graph.node("Div", [logits, "cap"], f"{logits}/small")
    bounded = to.graph.node("Tanh", [small], f"{logits}/bounded")
    return to.graph.node("Mul", [bounded, "cap"], f"{logits}/capped")
