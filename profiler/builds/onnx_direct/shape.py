"""The shape of a llama model, from the metadata of its file: what the graph is written with."""

from __future__ import annotations

import msgspec

from profiler.builds import metadata
from profiler.builds.describe import GgufModel, describe
from profiler.builds.gguf import GgufHeader
from profiler.builds.model_file import BadModelFile, shown

DEFAULT_ROPE_BASE = 10000.0


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """Widths and counts of one model; `rope_base` and `epsilon` are numbers of its formulas."""

    layers: int
    embedding: int
    heads: int
    kv_heads: int
    head: int
    feed_forward: int
    vocabulary: int
    context: int
    rope_base: float
    epsilon: float
    tied: bool


def read_shape(header: GgufHeader) -> Shape:
    """The shape in `header`. Raises BadModelFile for a feature that the graph does not have."""
    model, arch = describe(header), metadata.text(header, "general.architecture")
    _refuse(header, model, f"{arch}.")
    assert model.feed_forward is not None
    assert model.vocabulary is not None
    return Shape(
        layers=model.layers,
        embedding=model.embedding,
        heads=model.heads[0],
        kv_heads=model.kv_heads[0],
        head=model.key_length,
        feed_forward=model.feed_forward[0],
        vocabulary=model.vocabulary,
        context=model.context_length,
        rope_base=_number(header, f"{arch}.rope.freq_base", DEFAULT_ROPE_BASE),
        epsilon=_number(header, f"{arch}.attention.layer_norm_rms_epsilon", None),
        tied=model.tied_embedding,
    )


def _refuse(header: GgufHeader, model: GgufModel, prefix: str) -> None:
    scaling = header.metadata.get(f"{prefix}rope.scaling.type", "none")
    rotated = metadata.count(header, f"{prefix}rope.dimension_count") or model.key_length
    for wrong, what in (
        (model.experts is not None, "experts"),
        (model.sliding_window is not None, "a sliding window"),
        (scaling != "none", "a scaled rope (rope.scaling.type)"),
        (rotated != model.key_length, "a rope over a part of each head (rope.dimension_count)"),
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


def _number(header: GgufHeader, key: str, otherwise: float | None) -> float:
    found = header.metadata.get(key, otherwise)
    if isinstance(found, int | float) and not isinstance(found, bool) and found > 0:
        return float(found)
    raise BadModelFile(f"{header.file_name}: {shown(key)} must be a number above 0; convert the model again.")
