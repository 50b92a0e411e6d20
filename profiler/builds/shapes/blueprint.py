"""What a GGUF file of a model says before its data, from the catalogue's shape of the model.

Source of the keys: `load_hparams` in llama.cpp's src/llama-model.cpp and src/models/*.cpp. Keys that change
neither memory nor speed are left out.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from profiler.builds.model_file import shown
from profiler.builds.shapes.header import Value
from profiler.builds.shapes.layer_tensors import Spec, head_length, layer_specs
from profiler.builds.shapes.rope import read_scaling, rotated, scaling_metadata
from profiler.catalogue.models import Experts, Shape
from profiler.errors import UserError

ARCHITECTURES = (
    *("deepseek2", "gemma3", "gpt-oss", "llama", "llama4"),
    *("mistral3", "phi3", "qwen2", "qwen3", "qwen3moe"),
)
EPSILON = 1e-5
WIDEST = 1 << 20
MOST = {
    "layers": 512,
    "embedding": WIDEST,
    "feed_forward": WIDEST,
    "heads": WIDEST,
    "kv_heads": WIDEST,
    "head_length": WIDEST,
    "rope_dimensions": WIDEST,
    "rope_theta": 1e30,
    "vocabulary": WIDEST,
    "context_tokens": (1 << 32) - 1,
    "experts.count": 1024,
}
ROPE_TABLES = {
    "llama3": ("rope_freqs.weight",),
    "longrope": ("rope_factors_long.weight", "rope_factors_short.weight"),
}
SIGMOID = 2
GROUPS, GROUPS_USED = 8, 4
"""DeepSeek-V3 looks for experts in half of its groups only; a group has at least the two that rank it."""

OWN_KEYS: dict[str, dict[str, Value]] = {
    "deepseek2": {
        "expert_gating_func": SIGMOID,
        "expert_weights_norm": True,
        "expert_weights_scale": 2.5,
        "rope.scaling.yarn_log_multiplier": 0.1,
    },
    "mistral3": {"attention.temperature_scale": 0.1, "rope.scaling.yarn_log_multiplier": 1.0},
}
"""What DeepSeek-V3 and Ministral 3 have beyond the catalogue: a few small operations more, and no size."""


class Blueprint(msgspec.Struct, frozen=True, kw_only=True):
    """The metadata of a file, tokenizer left out, and its tensors in order, before they have storage types."""

    metadata: dict[str, Value]
    specs: tuple[Spec, ...]


def blueprint(shape: Shape, name: str) -> Blueprint:
    """The file of a model of this shape. Raises `UserError` for what no engine reads, or is not known here."""
    arch = shape.gguf_architecture
    wrong = _wrong(shape, arch)
    if wrong:
        raise UserError(f"{name}: {wrong}")
    metadata = {"general.architecture": arch, "general.name": name} | _metadata(shape, arch)
    return Blueprint(metadata=metadata, specs=tuple(_specs(shape)))


def _wrong(shape: Shape, arch: str) -> str | None:
    if arch not in ARCHITECTURES:
        accepted = ", ".join(ARCHITECTURES)
        return f"no shapes are made of the architecture {shown(arch)}; accepted: {accepted}"
    if arch == "deepseek2" and shape.latent is None:
        return "shape.latent is missing, accepted for deepseek2: a table of ranks and lengths; add it"
    beyond = next(((key, value, most) for key, value, most in _bounded(shape) if value > most), None)
    if beyond:
        return "shape.{} is {:g}; accepted: up to {:g}; correct it".format(*beyond)
    return None


def _bounded(shape: Shape) -> Iterator[tuple[str, float, float]]:
    """Figures of the shape with the largest that is accepted: what engines read, and far above any model."""
    parts = {"": shape, "experts.": shape.experts, "latent.": shape.latent, "window.": shape.window}
    for prefix, part in parts.items():
        for key in part.__struct_fields__ if part is not None else ():
            value = getattr(part, key)
            if f"{prefix}{key}" in MOST or (prefix and isinstance(value, int)):
                yield f"{prefix}{key}", value or 0, MOST.get(f"{prefix}{key}", WIDEST)


def _specs(shape: Shape) -> Iterator[Spec]:
    yield Spec("token_embd.weight", (shape.embedding, shape.vocabulary))
    yield Spec("output_norm.weight", (shape.embedding,), plain=True)
    if not shape.tied_embedding:
        yield Spec("output.weight", (shape.embedding, shape.vocabulary))
    for table in ROPE_TABLES.get(read_scaling(shape).kind or "", ()):
        yield Spec(table, (rotated(shape, head_length(shape)) // 2,), plain=True)
    for layer in range(shape.layers):
        yield from layer_specs(shape, layer)


def _metadata(shape: Shape, arch: str) -> dict[str, Value]:
    found: dict[str, Value] = {
        "context_length": shape.context_tokens,
        "embedding_length": shape.embedding,
        "block_count": shape.layers,
        "feed_forward_length": shape.feed_forward,
        "vocab_size": shape.vocabulary,
        "attention.head_count": shape.heads,
        "attention.layer_norm_rms_epsilon": EPSILON,
        "rope.freq_base": float(shape.rope_theta or 10000),
        "rope.dimension_count": rotated(shape, head_length(shape)),
    }
    found |= _lengths(shape)
    if shape.window is not None and arch != "llama4":
        found["attention.sliding_window"] = shape.window.tokens
    if shape.experts is not None:
        found |= _experts(shape.experts, arch)
    found |= OWN_KEYS.get(arch, {})
    return {f"{arch}.{key}": value for key, value in found.items()} | scaling_metadata(
        read_scaling(shape), arch
    )


def _lengths(shape: Shape) -> dict[str, Value]:
    """Heads. Latent attention caches one head of its rank and the rotated dimensions."""
    if shape.latent is None:
        length = head_length(shape)
        return {
            "attention.head_count_kv": shape.kv_heads,
            "attention.key_length": length,
            "attention.value_length": length,
        }
    latent, rank = shape.latent, shape.latent.key_value_rank
    return {
        "attention.head_count_kv": 1,
        "attention.key_length": rank + (shape.rope_dimensions or 0),
        "attention.value_length": rank,
        "attention.q_lora_rank": latent.query_rank,
        "attention.kv_lora_rank": rank,
        "attention.key_length_mla": latent.key_length,
        "attention.value_length_mla": latent.value_length,
    }


def _experts(experts: Experts, arch: str) -> dict[str, Value]:
    found: dict[str, Value] = {
        "expert_count": experts.count,
        "expert_used_count": experts.active,
        "expert_feed_forward_length": experts.feed_forward,
    }
    if experts.shared:
        found["expert_shared_count"] = experts.shared
    if experts.leading_dense_layers:
        found["leading_dense_block_count"] = experts.leading_dense_layers
    if arch == "deepseek2" and experts.count % (2 * GROUPS) == 0:
        found |= {"expert_group_count": GROUPS, "expert_group_used_count": GROUPS_USED}
    if arch == "llama4":
        found["interleave_moe_layer_step"] = experts.every
    return found
