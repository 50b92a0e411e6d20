"""What is predicted of one build with its settings on one device, as a value."""

from __future__ import annotations

from typing import Literal

import msgspec

from profiler.runfile import Settings

SCHEMA = "edgeprof.prediction/1"

Basis = Literal["predicted"]
FitWord = Literal["fits", "fits_with_mmap", "does_not_fit", "unknown"]


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """A predicted figure with the interval that covers the truth in `level` of like cases; or None and the reason."""

    value: float | None
    unit: str
    low: float | None = None
    high: float | None = None
    level: float | None = None
    reason: str | None = None


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """What memory would be for, in bytes.

    Weights, KV cache and compute are the engine's own figures for exactly these settings. `process_bytes` is
    interpreter, libraries and the engine's bookkeeping, `repacked_bytes` weights that the engine rewrites for this
    processor beside those it maps. `total_bytes` is all of it with the file in memory; `least_bytes` what cannot be
    given back to the disk. `source` names the engine, `only_here` what holds for this host's back end alone.
    """

    weights_bytes: int
    kv_bytes: int
    compute_bytes: int
    process_bytes: int
    repacked_bytes: int
    total_bytes: int
    least_bytes: int
    source: str
    only_here: str | None = None


class Fit(msgspec.Struct, frozen=True, kw_only=True):
    """Whether it fits: `room_bytes` of the device's `memory_bytes` are taken to be free, for the reason in `room`."""

    word: FitWord
    memory_bytes: int | None
    room_bytes: int | None
    room: str


class DecodeAt(msgspec.Struct, frozen=True, kw_only=True):
    """Decode speed in tokens per second after `depth` tokens, and what limits it there."""

    depth: int
    decode_tps: Figure
    limited_by: str | None


class PromptOf(msgspec.Struct, frozen=True, kw_only=True):
    """Speed of a prompt of `tokens` tokens, at depth 0."""

    tokens: int
    prefill_tps: Figure
    ttft_ms: Figure


class Speed(msgspec.Struct, frozen=True, kw_only=True):
    """How fast it would be. `source` says what this rests on, in words for a reader."""

    decode: list[DecodeAt]
    prompts: list[PromptOf]
    source: str


class Prediction(msgspec.Struct, frozen=True, kw_only=True):
    """One build with its settings on one device. A figure that is not known is None, with its reason in `notes`."""

    model: str
    build: str
    quantization: str | None
    parameters: int | None
    engine: str
    device: str
    device_name: str
    target: str
    settings: Settings
    context: int
    memory: Memory | None
    fit: Fit
    speed: Speed | None
    basis: Basis = "predicted"
    notes: list[str] = msgspec.field(default_factory=list)
