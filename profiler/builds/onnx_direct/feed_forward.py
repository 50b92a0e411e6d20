"""The feed-forward part: a gate, what it lets through, and the way back to the width of the embedding."""

from __future__ import annotations

from profiler.builds.onnx_direct.matrices import Part
from profiler.builds.onnx_direct.tensors import gate_parts
from profiler.builds.onnx_direct.writing import Writing


def feed_forward(to: Writing, layer: int, normed: str) -> str:
    """The branch of the feed-forward part, (tokens, embedding)."""
    at, shape, graph = f"/model/layers.{layer}/ffn", to.shape, to.graph
    parts = gate_parts(to.architecture, shape, layer)
    both = to.matrices.multiply(parts, shape.embedding, normed, f"{at}/gate_up")
    if len(both) == 1:
        both = [f"{at}/gate", f"{at}/up"]
        graph.nodes_of("Split", [f"{at}/gate_up"], both, f"{at}/split", axis=-1, num_outputs=2)
    product = graph.node("Mul", [_activated(to, both[0], at), both[1]], f"{at}/product")
    down = Part(f"blk.{layer}.ffn_down.weight", shape.embedding)
    return to.matrices.multiply([down], shape.feed_forward, product, f"{at}/down")[0]


def _activated(to: Writing, gate: str, at: str) -> str:
    """SiLU, or GELU by the hyperbolic tangent."""
    activate = to.operators.gelu if to.architecture.gelu else to.operators.silu
    return activate(to.graph, gate, f"{at}/active")
