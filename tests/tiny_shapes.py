"""Models of the catalogue with small widths: one of each architecture, whose shapes fit into a few megabytes."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from profiler.builds.shapes.planning import ShapeFile, of_catalogue
from profiler.builds.shapes.write import write_random
from profiler.catalogue.models import Latent, Shape, load_model

VOCABULARY = 512
MODELS = {
    "llama": "llama-3.2-1b",
    "qwen2": "qwen2.5-7b",
    "qwen3": "qwen3-0.6b",
    "qwen3moe": "qwen3-30b-a3b",
    "gemma3": "gemma-3-270m",
    "phi3": "phi-4-mini",
    "llama4": "llama-4-maverick",
    "gpt-oss": "gpt-oss-20b",
    "deepseek2": "deepseek-v3",
    "mistral3": "ministral-3-3b",
}


def tiny(architecture: str) -> Shape:
    """The shape of a known model of this architecture, all its layers, made narrow."""
    shape = load_model(MODELS[architecture]).shape
    experts = shape.experts and replace(
        shape.experts, count=16, active=min(2, shape.experts.active), feed_forward=256
    )
    latent = shape.latent and Latent(query_rank=256, key_value_rank=256, key_length=192, value_length=128)
    return replace(
        shape,
        embedding=256,
        feed_forward=512,
        heads=4,
        kv_heads=2,
        head_length=64,
        rope_dimensions=64 if shape.rope_dimensions else None,
        vocabulary=VOCABULARY,
        experts=experts,
        latent=latent,
    )


def write_tiny(path: Path, architecture: str, mix: str, layers: int | None = None) -> ShapeFile:
    """The shape at `path`, and what is in it."""
    found = of_catalogue(tiny(architecture), architecture, mix, layers, None)
    write_random(path, found.metadata, found.tensors, found.known, lambda _what, _done, _all: None)
    return found
