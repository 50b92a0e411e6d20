"""Every tensor of a model, and where it is stored: matrices by what reads the same input, and norms."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from profiler.builds.model_file import BadModelFile, shown
from profiler.builds.onnx_direct.architectures import Architecture
from profiler.builds.onnx_direct.matrices import Part
from profiler.builds.onnx_direct.shape import Shape
from profiler.builds.onnx_direct.source import Source


class Stored(msgspec.Struct, frozen=True):
    """Matrices that read the same input of `columns`: where they are stored if fused (empty: never)."""

    name: str
    parts: list[Part]
    columns: int


class Norm(msgspec.Struct, frozen=True):
    """A vector of this length: its GGUF name, and the name it is stored under."""

    tensor: str
    name: str
    length: int


def attention_parts(architecture: Architecture, shape: Shape, layer: int) -> list[Part]:
    """The matrices that read the input of attention: queries, keys, values."""
    rows = {"q": shape.heads * shape.head, "k": shape.kv_heads * shape.head, "v": shape.kv_heads * shape.head}
    if architecture.fused:
        return [Part(f"blk.{layer}.attn_qkv.weight", sum(rows.values()))]
    heads = {"q": shape.heads, "k": shape.kv_heads} if architecture.paired_rows else {}
    return [
        Part(
            f"blk.{layer}.attn_{name}.weight",
            count,
            heads=heads.get(name),
            bias=f"blk.{layer}.attn_{name}.bias" if architecture.biases else None,
        )
        for name, count in rows.items()
    ]


def gate_parts(architecture: Architecture, shape: Shape, layer: int) -> list[Part]:
    """The matrices that read the input of the feed-forward part: gate and up, in this order where they are one."""
    if architecture.fused:
        return [Part(f"blk.{layer}.ffn_up.weight", 2 * shape.feed_forward)]
    return [Part(f"blk.{layer}.{name}.weight", shape.feed_forward) for name in ("ffn_gate", "ffn_up")]


def stored_matrices(architecture: Architecture, shape: Shape) -> Iterator[Stored]:
    """Every matrix of the model."""
    yield Stored("", [Part("token_embd.weight", shape.vocabulary)], shape.embedding)
    for layer in range(shape.layers):
        at = f"/model/layers.{layer}"
        yield Stored(f"{at}/attn/qkv", attention_parts(architecture, shape, layer), shape.embedding)
        output = Part(f"blk.{layer}.attn_output.weight", shape.embedding)
        yield Stored("", [output], shape.heads * shape.head)
        yield Stored(f"{at}/ffn/gate_up", gate_parts(architecture, shape, layer), shape.embedding)
        yield Stored("", [Part(f"blk.{layer}.ffn_down.weight", shape.embedding)], shape.feed_forward)
    if not shape.tied:
        yield Stored("", [Part("output.weight", shape.vocabulary)], shape.embedding)


def norm(shape: Shape, layer: int, name: str) -> Norm:
    """A norm of a layer; that of the first input is named for what it is."""
    length = shape.head if name in ("attn_q_norm", "attn_k_norm") else shape.embedding
    stored = "input_norm" if (layer, name) == (0, "attn_norm") else name
    return Norm(f"blk.{layer}.{name}.weight", f"model.layers.{layer}.{stored}", length)


def last_norm(shape: Shape) -> Norm:
    """The norm before the logits."""
    return Norm("output_norm.weight", "model.norm", shape.embedding)


def stored_norms(architecture: Architecture, shape: Shape) -> Iterator[Norm]:
    """Every norm of the model."""
    names = ["attn_norm", "ffn_norm"]
    names += ["attn_q_norm", "attn_k_norm"] if architecture.head_norms else []
    names += ["post_attention_norm", "post_ffw_norm"] if architecture.branch_norms else []
    for layer in range(shape.layers):
        yield from (norm(shape, layer, name) for name in names)
    yield last_norm(shape)


def check_tensors(architecture: Architecture, shape: Shape, source: Source) -> None:
    """Every tensor that the graph needs is there and can be carried over, and no other is in the file."""
    known = set(architecture.optional)
    for stored in stored_matrices(architecture, shape):
        for part in stored.parts:
            source.find(part.tensor, stored.columns, part.rows)
            known.add(part.tensor)
            if part.bias in source.tensors:
                source.find(part.bias, part.rows)
                known.add(part.bias)
    for found in stored_norms(architecture, shape):
        source.find(found.tensor, found.length)
        known.add(found.tensor)
    for name in source.tensors:
        if name not in known:
            raise BadModelFile(
                f"{source.header.file_name}: has the tensor {shown(name)}, which no graph of this architecture has; "
                "use --via genai."
            )
