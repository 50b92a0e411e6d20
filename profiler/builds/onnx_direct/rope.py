"""Rotary positions: what a file says of them, and their tables of cosines and sines.

Source: `load_hparams` in src/llama-model.cpp of llama.cpp, its constructor of contexts, and `rope_yarn` in ggml.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec
import numpy as np
import numpy.typing as npt

from profiler.builds import metadata
from profiler.builds.gguf import GgufHeader
from profiler.builds.model_file import BadModelFile, shown
from profiler.builds.onnx_direct.architectures import FACTORS, LONG_FACTORS, SHORT_FACTORS
from profiler.builds.onnx_direct.blocks import Floats
from profiler.builds.onnx_direct.source import Source

DEFAULT_BASE = 10000.0
MOST_POSITIONS = 1 << 22
CHUNK = 4096
"""Positions that are computed at once."""

Steps = npt.NDArray[np.float64]


class Rope(msgspec.Struct, frozen=True, kw_only=True):
    """The first `dimensions` of a head turn by `position / stretch * base^(-2i / dimensions)`, and grow by `gain`."""

    base: float
    dimensions: int
    stretch: float = 1.0
    gain: float = 1.0


def read_rope(header: GgufHeader, prefix: str, head: int) -> Rope:
    """How layers that attend to everything rotate. Raises BadModelFile for a scaling that is not known."""
    kind = header.metadata.get(f"{prefix}rope.scaling.type", "linear")
    given = next(
        (
            key
            for key in (f"{prefix}rope.scaling.factor", f"{prefix}rope.scale_linear")
            if key in header.metadata
        ),
        None,
    )
    if kind not in ("none", "linear") and not (kind == "longrope" and given is None):
        raise BadModelFile(
            f"{header.file_name}: has a scaled rope (rope.scaling.type {shown(str(kind))}), which the direct writer "
            "does not know; use --via genai."
        )
    return Rope(
        base=number(header, f"{prefix}rope.freq_base", DEFAULT_BASE),
        dimensions=metadata.count(header, f"{prefix}rope.dimension_count") or head,
        stretch=1.0 if given is None or kind == "none" else number(header, given),
        gain=number(header, f"{prefix}rope.scaling.attn_factor", 1.0),
    )


def in_windows(header: GgufHeader, prefix: str, rope: Rope) -> Rope:
    """How layers that attend to a window rotate: by a base of their own, never stretched."""
    base = number(header, f"{prefix}rope.freq_base_swa", DEFAULT_BASE)
    return msgspec.structs.replace(rope, base=base, stretch=1.0)


def longest(header: GgufHeader, prefix: str, context: int) -> int:
    """The positions that are written. Long factors hold from the first token of a context beyond the original one,
    so a graph has either kind: it has the short factors, and the original context. Raises BadModelFile for more
    positions than any model has."""
    if any(tensor.name in (SHORT_FACTORS, LONG_FACTORS) for tensor in header.tensors):
        context = min(
            context, metadata.count(header, f"{prefix}rope.scaling.original_context_length") or context
        )
    if context > MOST_POSITIONS:
        raise BadModelFile(
            f"{header.file_name}: its context has {context:,} positions; the direct writer writes up to "
            f"{MOST_POSITIONS:,}; use --via genai."
        )
    return context


def steps(rope: Rope, source: Source) -> Steps:
    """The angle of each pair of a head per position, with the file's own factors where it has them."""
    found = (
        rope.base ** (-np.arange(0, rope.dimensions, 2, dtype=np.float64) / rope.dimensions) / rope.stretch
    )
    for name in (FACTORS, SHORT_FACTORS):
        if name in source.tensors:
            factors = source.vector(name, rope.dimensions // 2).astype(np.float64)
            if not np.all((factors > 0) & np.isfinite(factors)):
                raise BadModelFile(
                    f"{source.header.file_name}: tensor {name} must hold numbers above 0; convert the model again."
                )
            found = found / factors
    return found


def table(wave: Callable[[Steps], Steps], rope: Rope, angles: Steps, context: int) -> Iterator[Floats]:
    """A wave, cosine or sine, at every position, (positions, dimensions / 2), in chunks of positions."""
    for first in range(0, context, CHUNK):
        positions = np.arange(first, min(first + CHUNK, context), dtype=np.float64)
        yield (rope.gain * wave(np.outer(positions, angles))).astype(np.float32)


def number(header: GgufHeader, key: str, otherwise: float | None = None) -> float:
    """The number above 0 at `key`, which has to be there unless there is another to take."""
    found = header.metadata.get(key, otherwise)
    if isinstance(found, int | float) and not isinstance(found, bool) and 0 < found < float("inf"):
        return float(found)
    raise BadModelFile(f"{header.file_name}: {shown(key)} must be a number above 0; convert the model again.")
