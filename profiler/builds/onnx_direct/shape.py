"""The shape of a model, from the metadata of its file: what the graph is written with."""

from __future__ import annotations

import msgspec

from profiler.builds import metadata
from profiler.builds.describe import GgufModel, describe
from profiler.builds.gguf import GgufHeader
from profiler.builds.model_file import BadModelFile
from profiler.builds.onnx_direct.architectures import Architecture
from profiler.builds.onnx_direct.rope import Rope, in_windows, longest, number, read_rope


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """Widths and counts of one model, and the numbers of its formulas.

    `windows` has the keys that each layer attends to, its own position among them; None for all. `window_rope` is
    how those layers rotate; `cap` bounds logits.
    """

    layers: int
    embedding: int
    heads: int
    kv_heads: int
    head: int
    feed_forward: int
    vocabulary: int
    context: int
    windows: tuple[int | None, ...]
    rope: Rope
    window_rope: Rope
    score_scale: float
    epsilon: float
    cap: float | None
    tied: bool


def read_shape(header: GgufHeader, architecture: Architecture) -> Shape:
    """The shape in `header`. Raises BadModelFile for a feature that the graph does not have."""
    model, prefix = describe(header), f"{metadata.text(header, 'general.architecture')}."
    _refuse(header, architecture, model, prefix)
    assert model.feed_forward is not None
    assert model.vocabulary is not None
    rope = read_rope(header, prefix, model.key_length)
    cap = f"{prefix}final_logit_softcapping"
    wide = model.layers == architecture.wide_scale_layers
    return Shape(
        layers=model.layers,
        embedding=model.embedding,
        heads=model.heads[0],
        kv_heads=model.kv_heads[0],
        head=model.key_length,
        feed_forward=model.feed_forward[0],
        vocabulary=model.vocabulary,
        context=longest(header, prefix, model.context_length),
        windows=tuple(layer.window for layer in model.cache),
        rope=rope,
        window_rope=in_windows(header, prefix, rope),
        score_scale=(model.embedding // model.heads[0] if wide else model.key_length) ** -0.5,
        epsilon=number(header, f"{prefix}attention.layer_norm_rms_epsilon"),
        cap=number(header, cap) if architecture.capped_logits and header.metadata.get(cap) else None,
        tied=model.tied_embedding,
    )


def _refuse(header: GgufHeader, architecture: Architecture, model: GgufModel, prefix: str) -> None:
    rotated = metadata.count(header, f"{prefix}rope.dimension_count") or model.key_length
    partly = rotated != model.key_length and not (architecture.partly_rotated and rotated < model.key_length)
    own = ("attention.key_length_swa", "attention.value_length_swa", "rope.dimension_count_swa")
    for wrong, what in (
        (model.experts is not None, "experts"),
        (model.sliding_window is not None and not architecture.names_window, "a sliding window"),
        (any(prefix + key in header.metadata for key in own), "other heads in the layers with a window"),
        (partly or rotated % 2, "a rope over a part of each head (rope.dimension_count)"),
        (model.key_length != model.value_length, "keys and values of different lengths"),
        (
            len(set(zip(model.heads, model.kv_heads, strict=True))) > 1,
            "layers with different numbers of heads",
        ),
        (model.feed_forward is None or len(set(model.feed_forward)) > 1, "layers of different widths"),
        (model.vocabulary is None, "no vocabulary"),
        (not all(model.kv_heads) or model.heads[0] % model.kv_heads[0] != 0, "an odd number of KV heads"),
    ):
        if wrong:
            raise BadModelFile(
                f"{header.file_name}: has {what}, which the direct writer does not know; use --via genai."
            )
