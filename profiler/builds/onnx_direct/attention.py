"""Attention: queries, keys and values, their norms, rotation, cache and window, and the output matrix."""

from __future__ import annotations

import numpy as np

from profiler.builds.onnx_direct import norms, rope
from profiler.builds.onnx_direct.matrices import Part
from profiler.builds.onnx_direct.tensors import attention_parts, norm
from profiler.builds.onnx_direct.writing import Writing


def write_rotations(to: Writing, positions: int, *before: int) -> list[str]:
    """The tables of positions, one pair for each way that layers rotate, and their names. A table is (positions, half
    of what is rotated), with the lengths `before` these."""
    names = []
    for name, kind in {tables_of(to, layer): _rope(to, layer) for layer in range(to.shape.layers)}.items():
        steps = rope.steps(kind, to.source)
        for what, wave in (("cos", np.cos), ("sin", np.sin)):
            parts = rope.table(wave, kind, steps, positions)
            names.append(f"{name}{what}_cache")
            to.graph.data.add(names[-1], "float32", (*before, positions, steps.size), parts)
    return names


def attend(to: Writing, layer: int, normed: str) -> str:
    """The branch of attention, (tokens, embedding)."""
    at, shape, graph = f"/model/layers.{layer}/attn", to.shape, to.graph
    inputs = _projected(to, layer, normed, f"{at}/qkv")
    past = [f"past_key_values.{layer}.key", f"past_key_values.{layer}.value"]
    present = [f"present.{layer}.key", f"present.{layer}.value"]
    tables = [tables_of(to, layer) + name for name in ("cos_cache", "sin_cache")]
    window = shape.windows[layer]
    graph.nodes_of(
        "GroupQueryAttention",
        [*inputs, *past, "seqlens_k", "total_sequence_length", *tables],
        [f"{at}/attended", *present],
        at,
        num_heads=shape.heads,
        kv_num_heads=shape.kv_heads,
        scale=float(shape.score_scale),
        do_rotary=1,
        rotary_interleaved=0,
        local_window_size=-1 if window is None else window,
    )
    graph.constant("attended_rows", np.array([-1, shape.heads * shape.head], np.int64))
    return output_of(to, layer, graph.node("Reshape", [f"{at}/attended", "attended_rows"], f"{at}/flat"))


def output_of(to: Writing, layer: int, attended: str) -> str:
    """What all heads of a token found, beside each other, times the output matrix."""
    shape, output = to.shape, Part(f"blk.{layer}.attn_output.weight", to.shape.embedding)
    name = f"/model/layers.{layer}/attn/output"
    return to.matrices.multiply([output], shape.heads * shape.head, attended, name)[0]


def _rope(to: Writing, layer: int) -> rope.Rope:
    return to.shape.rope if to.shape.windows[layer] is None else to.shape.window_rope


def tables_of(to: Writing, layer: int) -> str:
    """What the names of a layer's tables begin with."""
    return "" if _rope(to, layer) == to.shape.rope else "window_"


def _projected(to: Writing, layer: int, normed: str, at: str) -> list[str]:
    """Queries, keys and values, (batch, tokens, width) each, or all of them in one and two empty names."""
    parts = attention_parts(to.architecture, to.shape, layer)
    found = to.matrices.multiply(parts, to.shape.embedding, normed, at)
    if to.architecture.head_norms:
        found = normed_heads(to, layer, one_by_one(to, found, at))
    by_token = [to.graph.node("Reshape", [item, "by_token"], f"{item}/by_token") for item in found]
    return [*by_token, *[""] * (3 - len(by_token))]


def one_by_one(to: Writing, found: list[str], at: str) -> list[str]:
    """Queries, keys and values, also where one matrix gave them all."""
    if len(found) > 1:
        return found
    shape, names = to.shape, [f"{at}/{name}" for name in "qkv"]
    widths = np.array([shape.heads, shape.kv_heads, shape.kv_heads], np.int64) * shape.head
    to.graph.constant("widths_of_heads", widths)
    to.graph.nodes_of("Split", [*found, "widths_of_heads"], names, f"{at}/split", axis=-1)
    return names


def normed_heads(to: Writing, layer: int, found: list[str]) -> list[str]:
    """Each head of queries and keys normed, (rows, head). ONNX Runtime's attention does so itself on GPUs only."""
    graph, values = to.graph, found[2]
    graph.constant("head_rows", np.array([-1, to.shape.head], np.int64))
    normed = []
    for x, name in zip(found, ("attn_q_norm", "attn_k_norm"), strict=False):
        heads = graph.node("Reshape", [x, "head_rows"], f"{x}/heads")
        normed.append(norms.alone(to, norm(to.shape, layer, name), heads, f"/model/layers.{layer}/{name}"))
    return [*normed, values]
