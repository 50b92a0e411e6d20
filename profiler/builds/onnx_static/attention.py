"""Attention in ordinary operators: new rows behind the past ones, all queries of a KV head in one matrix product."""

from __future__ import annotations

import numpy as np

from profiler.builds.onnx_direct.attention import normed_heads, one_by_one, output_of, tables_of
from profiler.builds.onnx_direct.tensors import attention_parts
from profiler.builds.onnx_direct.writing import Writing


def attend(to: Writing, layer: int, normed: str) -> str:
    """The branch of attention, (1, tokens, embedding). Its new keys and values are outputs of the graph."""
    at, graph = f"/model/layers.{layer}/attn", to.graph
    queries, keys, values = _by_head(to, layer, normed, f"{at}/qkv", f"present.{layer}.value")
    rotated = _rotated(to, layer, queries, f"{at}/queries")
    new = {"key": _rotated(to, layer, keys, f"present.{layer}.key"), "value": values}
    rows = {
        what: graph.node("Concat", [f"past_key_values.{layer}.{what}", found], f"{at}/{what}s", axis=2)
        for what, found in new.items()
    }
    return output_of(to, layer, _attended(to, rotated, rows, at))


def _by_head(to: Writing, layer: int, normed: str, at: str, values: str) -> list[str]:
    """Queries, keys and values, (1, heads, tokens, head) each; the last one is to be called `values`."""
    shape, graph = to.shape, to.graph
    parts = attention_parts(to.architecture, shape, layer)
    found = one_by_one(to, to.matrices.multiply(parts, shape.embedding, normed, at), at)
    if to.architecture.head_norms:
        found = normed_heads(to, layer, found)
    heads = (shape.heads, shape.kv_heads, shape.kv_heads)
    names = (f"{at}/queries", f"{at}/keys", values)
    for n, count in enumerate(heads):
        graph.constant(f"split_by_{count}", np.array([1, -1, count, shape.head], np.int64))
        split = graph.node("Reshape", [found[n], f"split_by_{count}"], f"{at}/{'qkv'[n]}/split")
        found[n] = graph.node("Transpose", [split], names[n], perm=[0, 2, 1, 3])
    return found


def _rotated(to: Writing, layer: int, x: str, name: str) -> str:
    """The halves of what is rotated of each head, turned against each other by the angles of their positions."""
    graph, tables = to.graph, tables_of(to, layer)
    half = to.shape.rope.dimensions // 2
    widths = [half, half, to.shape.head - 2 * half]
    graph.constant("halves", np.array([width for width in widths if width], np.int64))
    parts = [f"{name}/first", f"{name}/second", *([f"{name}/rest"] if widths[2] else [])]
    graph.nodes_of("Split", [x, "halves"], parts, f"{name}/halves", axis=-1)

    def turned(kind: str, one: str, other: str) -> str:
        cosine = graph.node("Mul", [one, f"{tables}cos"], f"{one}/cos")
        sine = graph.node("Mul", [other, f"{tables}sin"], f"{other}/sin")
        return graph.node(kind, [cosine, sine], f"{one}/turned")

    first, second = turned("Sub", parts[0], parts[1]), turned("Add", parts[1], parts[0])
    return graph.node("Concat", [first, second, *parts[2:]], name, axis=-1)


def _attended(to: Writing, queries: str, rows: dict[str, str], at: str) -> str:
    """The values by their shares, (1, tokens, heads * head)."""
    shape, graph = to.shape, to.graph
    graph.constant("score_scale", np.array(shape.score_scale, np.float32))
    graph.constant("by_kv_head", np.array([1, shape.kv_heads, -1, shape.head], np.int64))
    graph.constant("by_query_head", np.array([1, shape.heads, -1, shape.head], np.int64))
    grouped = graph.node("Reshape", [queries, "by_kv_head"], f"{at}/grouped")
    scaled = graph.node("Mul", [grouped, "score_scale"], f"{at}/scaled")
    across = graph.node("Transpose", [rows["key"]], f"{at}/keys/across", perm=[0, 1, 3, 2])
    scores = graph.node("MatMul", [scaled, across], f"{at}/scores")
    masked = graph.node("Add", [scores, "mask_of_group"], f"{at}/masked")
    shares = graph.node("Softmax", [masked], f"{at}/shares", axis=-1)
    mixed = graph.node("MatMul", [shares, rows["value"]], f"{at}/mixed")
    by_head = graph.node("Reshape", [mixed, "by_query_head"], f"{at}/by_head")
    by_token = graph.node("Transpose", [by_head], f"{at}/attended", perm=[0, 2, 1, 3])
    graph.constant("attended_rows", np.array([1, -1, shape.heads * shape.head], np.int64))
    return graph.node("Reshape", [by_token, "attended_rows"], f"{at}/flat")
