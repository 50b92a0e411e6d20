"""The graph of a llama model: opset 21 and ONNX Runtime's contributed operators.

The residual stream is kept as (tokens, embedding): the offsets of block types with a minimum are then one
Gemm on the block sums of its input, and one block sum serves all matrices that read the same input.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from profiler.builds.onnx_direct.blocks import Floats
from profiler.builds.onnx_direct.graph import Graph
from profiler.builds.onnx_direct.matrices import Matrices, Part
from profiler.builds.onnx_direct.shape import Shape
from profiler.builds.onnx_direct.source import Source


def write_llama(shape: Shape, source: Source, graph: Graph, matrices: Matrices) -> None:
    """All nodes and weights of the model, from token ids to the logits of the last position."""
    _inputs(shape, graph)
    _rotations(shape, source, graph)
    matrices.embed("token_embd.weight", shape.vocabulary, shape.embedding, "input_ids", "/model/embeddings")
    stream = graph.node("Reshape", ["/model/embeddings", "flat_rows"], "/model/embeddings/flat")
    graph.vector("model.layers.0.input_norm", _norm(source, "blk.0.attn_norm.weight", shape))
    normed = graph.node(
        "SimplifiedLayerNormalization",
        [stream, "model.layers.0.input_norm"],
        "/model/layers.0/input_norm",
        axis=-1,
        epsilon=shape.epsilon,
        stash_type=1,
    )
    for layer in range(shape.layers):
        branch = _attention(shape, matrices, graph, layer, normed)
        stream, normed = _add_norm(shape, source, graph, (stream, branch), layer, "ffn_norm")
        branch = _feed_forward(shape, matrices, graph, layer, normed)
        if layer + 1 < shape.layers:
            stream, normed = _add_norm(shape, source, graph, (stream, branch), layer + 1, "attn_norm")
    _head(shape, source, graph, matrices, (stream, branch))


def attention_parts(shape: Shape, layer: int) -> list[Part]:
    """The matrices that read the input of attention: queries, keys, values."""
    return [
        Part(f"blk.{layer}.attn_q.weight", shape.heads * shape.head, heads=shape.heads),
        Part(f"blk.{layer}.attn_k.weight", shape.kv_heads * shape.head, heads=shape.kv_heads),
        Part(f"blk.{layer}.attn_v.weight", shape.kv_heads * shape.head),
    ]


def gate_parts(shape: Shape, layer: int) -> list[Part]:
    """The matrices that read the input of the feed-forward part: gate and up."""
    return [
        Part(f"blk.{layer}.ffn_gate.weight", shape.feed_forward),
        Part(f"blk.{layer}.ffn_up.weight", shape.feed_forward),
    ]


def stored_as(shape: Shape) -> Iterator[tuple[str, list[Part], int]]:
    """Every matrix of the model: the name it is stored under if fused, its parts, and its columns."""
    yield "", [Part("token_embd.weight", shape.vocabulary)], shape.embedding
    for layer in range(shape.layers):
        at = f"/model/layers.{layer}"
        yield f"{at}/attn/qkv", attention_parts(shape, layer), shape.embedding
        yield "", [Part(f"blk.{layer}.attn_output.weight", shape.embedding)], shape.heads * shape.head
        yield f"{at}/ffn/gate_up", gate_parts(shape, layer), shape.embedding
        yield "", [Part(f"blk.{layer}.ffn_down.weight", shape.embedding)], shape.feed_forward
    if not shape.tied:
        yield "", [Part("output.weight", shape.vocabulary)], shape.embedding


def stored_vectors(shape: Shape) -> Iterator[tuple[str, str]]:
    """Every norm of the model: its GGUF name, and the name it is stored under."""
    yield "blk.0.attn_norm.weight", "model.layers.0.input_norm"
    for layer in range(shape.layers):
        yield f"blk.{layer}.ffn_norm.weight", f"model.layers.{layer}.ffn_norm"
        if layer:
            yield f"blk.{layer}.attn_norm.weight", f"model.layers.{layer}.attn_norm"
    yield "output_norm.weight", "model.norm"


def _inputs(shape: Shape, graph: Graph) -> None:
    graph.input("input_ids", "int64", ["batch_size", "sequence_length"])
    graph.input("attention_mask", "int64", ["batch_size", "total_sequence_length"])
    for layer in range(shape.layers):
        for what in ("key", "value"):
            past: list[int | str] = ["batch_size", shape.kv_heads, "past_sequence_length", shape.head]
            present: list[int | str] = ["batch_size", shape.kv_heads, "total_sequence_length", shape.head]
            graph.input(f"past_key_values.{layer}.{what}", "float32", past)
            graph.output(f"present.{layer}.{what}", "float32", present)
    graph.constant("one", np.array([1], np.int64))
    graph.constant("flat_rows", np.array([-1, shape.embedding], np.int64))
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


def _rotations(shape: Shape, source: Source, graph: Graph) -> None:
    """cos and sin of position * base^(-2i/d), divided by the file's own factors where it has them."""
    steps = shape.rope_base ** (-np.arange(0, shape.head, 2, dtype=np.float64) / shape.head)
    if "rope_freqs.weight" in source.tensors:
        factors = source.vector("rope_freqs.weight", shape.head // 2)
        steps = steps / factors.astype(np.float64)
    angles = np.outer(np.arange(shape.context, dtype=np.float64), steps)
    graph.vector("cos_cache", np.cos(angles).astype(np.float32))
    graph.vector("sin_cache", np.sin(angles).astype(np.float32))


def _norm(source: Source, name: str, shape: Shape) -> Floats:
    return source.vector(name, shape.embedding)


def _add_norm(
    shape: Shape, source: Source, graph: Graph, streams: tuple[str, str], layer: int, name: str
) -> tuple[str, str]:
    """The residual stream with a branch added, and its norm."""
    weight, at = f"model.layers.{layer}.{name}", f"/model/layers.{layer}/{name}"
    graph.vector(weight, _norm(source, f"blk.{layer}.{name}.weight", shape))
    return _skip_norm(graph, streams, weight, at, shape.epsilon)


def _skip_norm(graph: Graph, streams: Sequence[str], weight: str, at: str, epsilon: float) -> tuple[str, str]:
    outputs = [f"{at}/normed", "", "", f"{at}/stream"]
    graph.nodes_of("SkipSimplifiedLayerNormalization", [*streams, weight], outputs, at, epsilon=epsilon)
    return outputs[3], outputs[0]


def _attention(shape: Shape, matrices: Matrices, graph: Graph, layer: int, normed: str) -> str:
    at, width = f"/model/layers.{layer}/attn", shape.head
    projected = matrices.multiply(attention_parts(shape, layer), shape.embedding, normed, f"{at}/qkv")
    three = [graph.node("Reshape", [item, "by_token"], f"{item}/by_token") for item in projected]
    inputs = [*three, *[""] * (3 - len(three))]
    past = [f"past_key_values.{layer}.key", f"past_key_values.{layer}.value"]
    present = [f"present.{layer}.key", f"present.{layer}.value"]
    graph.nodes_of(
        "GroupQueryAttention",
        [*inputs, *past, "seqlens_k", "total_sequence_length", "cos_cache", "sin_cache"],
        [f"{at}/attended", *present],
        at,
        num_heads=shape.heads,
        kv_num_heads=shape.kv_heads,
        scale=float(width**-0.5),
        do_rotary=1,
        rotary_interleaved=0,
        local_window_size=-1,
    )
    graph.constant("attended_rows", np.array([-1, shape.heads * width], np.int64))
    flat = graph.node("Reshape", [f"{at}/attended", "attended_rows"], f"{at}/flat")
    output = Part(f"blk.{layer}.attn_output.weight", shape.embedding)
    return matrices.multiply([output], shape.heads * width, flat, f"{at}/output")[0]


def _feed_forward(shape: Shape, matrices: Matrices, graph: Graph, layer: int, normed: str) -> str:
    at = f"/model/layers.{layer}/ffn"
    both = matrices.multiply(gate_parts(shape, layer), shape.embedding, normed, f"{at}/gate_up")
    if len(both) == 1:
        both = [f"{at}/gate", f"{at}/up"]
        graph.nodes_of("Split", [f"{at}/gate_up"], both, f"{at}/split", axis=-1, num_outputs=2)
    active = graph.node("QuickGelu", [both[0]], f"{at}/active", alpha=1.0)
    product = graph.node("Mul", [active, both[1]], f"{at}/product")
    down = Part(f"blk.{layer}.ffn_down.weight", shape.embedding)
    return matrices.multiply([down], shape.feed_forward, product, f"{at}/down")[0]


def _head(shape: Shape, source: Source, graph: Graph, matrices: Matrices, streams: tuple[str, str]) -> None:
    """Logits of the last position: the only ones that generation needs."""
    graph.constant("last", np.array([-1], np.int64))
    graph.constant("end", np.array([2**31 - 1], np.int64))
    kept = []
    for n, name in enumerate(streams):
        tokens = graph.node("Reshape", [name, "by_token"], f"/model/head/tokens.{n}")
        last = graph.node("Slice", [tokens, "last", "end", "one"], f"/model/head/last.{n}")
        kept.append(graph.node("Reshape", [last, "flat_rows"], f"/model/head/flat.{n}"))
    graph.vector("model.norm", _norm(source, "output_norm.weight", shape))
    _, normed = _skip_norm(graph, kept, "model.norm", "/model/head/norm", shape.epsilon)
    name = "token_embd.weight" if shape.tied else "output.weight"
    logits = matrices.multiply([Part(name, shape.vocabulary)], shape.embedding, normed, "/lm_head")[0]
    graph.constant("one_each", np.array([-1, 1, shape.vocabulary], np.int64))
    graph.node("Reshape", [logits, "one_each"], "logits")
    graph.output("logits", "float32", ["batch_size", 1, shape.vocabulary])
