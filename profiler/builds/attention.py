"""Heads, key-value cache and attention windows of a GGUF model, layer by layer.

Source: llama.cpp, `load_hparams` in src/llama-model.cpp and src/models/*.cpp, and llama-hparams.cpp.
"""

from __future__ import annotations

import msgspec

from profiler.builds import metadata
from profiler.builds.gguf import ArraySummary, GgufHeader
from profiler.builds.model_file import BadModelFile

# Every n-th layer attends to the whole context, the layers between to a window.
WINDOW_PERIODS = {
    "afmoe": 4,
    "cohere2": 4,
    "exaone-moe": 4,
    "exaone4": 4,
    "gemma2": 2,
    "gemma3": 6,
    "gemma3n": 5,
    "gpt-oss": 2,
    "llama4": 4,
    "mellum": 4,
    "olmo2": 4,
    "plamo3": 8,
}
WINDOW_DEFAULTS = {"gemma2": 4096, "llama4": 8192}
# Every n-th layer attends at all, the layers between are recurrent.
ATTENTION_PERIODS = {"minimax-01": 8, "qwen35": 4, "qwen35moe": 4, "qwen3next": 4}


class LayerCache(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The key-value cache of one layer.

    `elements` per token, keys and values together; `window` in tokens, None for the whole context; `stored`
    is False for a layer that reads the cache of an earlier one.
    """

    elements: int
    window: int | None = None
    stored: bool = True


class Attention(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The shape of attention. `kv_heads` is 0 in layers without a cache, as recurrent ones are."""

    heads: tuple[int, ...]
    kv_heads: tuple[int, ...]
    key_length: int
    value_length: int
    sliding_window: int | None
    cache: tuple[LayerCache, ...]


def read_attention(header: GgufHeader, arch: str, blocks: int, layers: int, embedding: int) -> Attention:
    """Attention of the first `layers` of `blocks`: those after them draft tokens and are not used."""
    heads = metadata.per_layer(header, f"{arch}.attention.head_count", blocks)
    if heads is None:
        raise BadModelFile(f"{header.file_name}: has no {arch}.attention.head_count, which models need.")
    kv_heads = _kv_heads(header, arch, blocks, heads)[:layers]
    head_length = embedding // max(heads) if max(heads) else 0
    keys = metadata.count(header, f"{arch}.attention.key_length") or head_length
    values = metadata.count(header, f"{arch}.attention.value_length") or head_length
    window = metadata.count(header, f"{arch}.attention.sliding_window")
    window = WINDOW_DEFAULTS.get(arch) if window is None else window
    return Attention(
        heads=heads[:layers],
        kv_heads=kv_heads,
        key_length=keys,
        value_length=values,
        sliding_window=window or None,
        cache=_caches(header, arch, kv_heads, (keys, values), window or None),
    )


def _kv_heads(header: GgufHeader, arch: str, blocks: int, heads: tuple[int, ...]) -> tuple[int, ...]:
    found = metadata.per_layer(header, f"{arch}.attention.head_count_kv", blocks) or heads
    recurrent = _marks(header, f"{arch}.attention.recurrent_layers", blocks)
    if recurrent is None:
        period = metadata.count(header, f"{arch}.full_attention_interval") or ATTENTION_PERIODS.get(arch, 1)
        recurrent = _all_but_every(period, blocks)
    return tuple(0 if skipped else n for n, skipped in zip(found, recurrent, strict=True))


def _caches(
    header: GgufHeader, arch: str, kv_heads: tuple[int, ...], lengths: tuple[int, int], window: int | None
) -> tuple[LayerCache, ...]:
    windowed = _windowed(header, arch, len(kv_heads)) if window else (False,) * len(kv_heads)
    in_window = (
        metadata.count(header, f"{arch}.attention.key_length_swa") or lengths[0],
        metadata.count(header, f"{arch}.attention.value_length_swa") or lengths[1],
    )
    latent = bool(metadata.count(header, f"{arch}.attention.key_length_mla"))
    own = len(kv_heads) - (metadata.count(header, f"{arch}.attention.shared_kv_layers") or 0)
    return tuple(
        LayerCache(
            elements=n * _cached(in_window if short else lengths, latent),
            window=window if short else None,
            stored=layer < own,
        )
        for layer, (n, short) in enumerate(zip(kv_heads, windowed, strict=True))
    )


def _cached(lengths: tuple[int, int], latent: bool) -> int:
    """Elements of one head: multi-head latent attention keeps no values, they are part of the keys."""
    keys, values = lengths
    return keys if latent else keys + values


def _windowed(header: GgufHeader, arch: str, layers: int) -> tuple[bool, ...]:
    """Which layers attend to a window only; none where neither the file nor the engine has a pattern."""
    key = f"{arch}.attention.sliding_window_pattern"
    marks = _marks(header, key, layers)
    if marks is not None:
        return marks
    return _all_but_every(metadata.count(header, key) or WINDOW_PERIODS.get(arch, 1), layers)


def _marks(header: GgufHeader, key: str, layers: int) -> tuple[bool, ...] | None:
    """One mark per layer from the array at `key`; None when there is no array."""
    found = header.metadata.get(key)
    if not isinstance(found, ArraySummary):
        return None
    if found.values is None or len(found.values) < layers:
        raise BadModelFile(f"{header.file_name}: {key} must have one value for each of {layers} layers.")
    return tuple(map(bool, found.values[:layers]))


def _all_but_every(period: int, layers: int) -> tuple[bool, ...]:
    return tuple((layer + 1) % period != 0 for layer in range(layers))
