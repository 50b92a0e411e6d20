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

    `weights_bytes`, `kv_bytes` and `compute_bytes` are the engine's own figures for exactly these settings; compute is
    None where it tells none. Of the compute buffer a prompt touches `touched_bytes`. Of the weights `mapped_bytes` are
    pages of the file and `held_bytes` a copy of the engine's own; `rewritten_bytes` are what it rewrites for this
    processor, `spare_bytes` the part of `mapped_bytes` that is only needed to rewrite it. `process_bytes` is the
    interpreter, libraries and the engine's bookkeeping.

    `total_bytes` is all that lies in memory when the context is full: mapped, held, rewritten, KV, touched, process.
    `least_bytes` is that without what can be read from the file again. `device_bytes` is what an accelerator's memory
    would hold: weights, KV and the whole compute buffer. With `lower_bound` something is not known, as `unknown` says,
    and the total is the least it can be. `source` names the engine, `only_here` what holds for this host alone.
    """

    weights_bytes: int
    kv_bytes: int
    compute_bytes: int | None
    touched_bytes: int
    mapped_bytes: int
    held_bytes: int
    rewritten_bytes: int
    spare_bytes: int
    process_bytes: int
    total_bytes: int
    least_bytes: int
    device_bytes: int
    source: str
    lower_bound: bool = False
    unknown: str | None = None
    only_here: str | None = None


class Fit(msgspec.Struct, frozen=True, kw_only=True):
    """Whether it fits: `room_bytes` of the device's `memory_bytes` are taken to be free, for the reason in `room`.

    `beside` is what else is to know of this word.

    `fits_with_mmap`: only if a part of the mapped file leaves memory and is read from the disk again, token by token.
    `needed_bytes` is what was held against the room: the total without the pages of the file that are only read while
    it loads, or what an accelerator's memory would hold.
    """

    word: FitWord
    needed_bytes: int | None
    memory_bytes: int | None
    room_bytes: int | None
    room: str
    beside: str | None = None


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


class Limited(msgspec.Struct, frozen=True, kw_only=True):
    """One limit of a use against what is predicted. The word is `ship`, `skip` or `undecided`."""

    limit: str
    metric: str
    asked: float
    word: str
    value: float | None
    low: float | None
    high: float | None
    unit: str
    reason: str


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of a use on one workload, held against what is predicted; `word` is that of all together."""

    limits: str
    workload: str
    word: str
    judged: list[Limited]


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
    verdicts: list[Verdict] = msgspec.field(default_factory=list)
    notes: list[str] = msgspec.field(default_factory=list)


class Predictions(msgspec.Struct, frozen=True, kw_only=True):
    """The document: what was predicted by which version of the program."""

    schema: str
    edgeprof: str
    predictions: list[Prediction]
