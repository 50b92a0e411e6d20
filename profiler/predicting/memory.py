"""The memory of a GGUF build before it is loaded: the engine's buffers, and what they leave out."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from profiler.builds import metadata
from profiler.builds.describe import describe
from profiler.builds.gguf import GgufHeader, TensorInfo
from profiler.measure.gate import RUNTIME_BYTES
from profiler.predicting.inspection import Buffers, Inspected, Place, Use, Weight, uses
from profiler.predicting.prediction import Memory
from profiler.runfile import Settings

PAGE = 4096
VOCABULARY_BYTES = 300
"""Of one token in llama.cpp's tables: from 145 (SentencePiece) to 514, most of byte pairs 254 to 409 (measured on 19
vocabularies). Only a build without a vocabulary of its own is estimated by it."""

NO_TOKENIZER = ("none", "no_vocab")


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """Where the weights of a build lie once it is loaded, in bytes; see `prediction.Memory`."""

    mapped: int
    held: int
    rewritten: int
    spare: int


def memory(
    header: GgufHeader,
    settings: Settings,
    found: Inspected,
    buffers: Buffers,
    places: Mapping[Weight, Place] | None,
) -> Memory:
    """The memory of a build with these settings, from the engine's buffers for them and the places of its weights."""
    weights = describe(header).weights_bytes
    lies = layout(header, settings, places or {})
    process = (found.process_bytes or RUNTIME_BYTES) + vocabulary_bytes(header)
    own = lies.held + lies.rewritten + buffers.kv_bytes + buffers.touched_bytes + process
    return Memory(
        weights_bytes=weights,
        kv_bytes=buffers.kv_bytes,
        compute_bytes=buffers.compute_bytes,
        touched_bytes=buffers.touched_bytes,
        mapped_bytes=lies.mapped,
        held_bytes=lies.held,
        rewritten_bytes=lies.rewritten,
        spare_bytes=lies.spare,
        process_bytes=process,
        total_bytes=lies.mapped + own,
        least_bytes=own + (lies.mapped if settings.get("mlock") else 0),
        device_bytes=weights + buffers.kv_bytes + buffers.compute_bytes,
        source="llama.cpp on this machine, which planned it without allocating",
        only_here=_only_here(settings, lies, places, found.refused),
    )


def layout(header: GgufHeader, settings: Settings, places: Mapping[Weight, Place]) -> Layout:
    """Where llama.cpp puts the weights. A rewritten one is read from the mapped file once, and not again."""
    extra = settings.get("repack") and not settings.get("gpu_layers")
    copied = [use for use in uses(header) if extra and places.get(use.weight, (None, 0))[0] is not None]
    names = {use.tensor.name for use in copied}
    looked_up = _looked_up(copied)
    plain = [one for one in header.tensors if one.name not in names or one.name in looked_up]
    mapped = _span(plain) if settings.get("mmap") else 0
    held = 0 if settings.get("mmap") else sum(one.bytes for one in plain)
    return Layout(
        mapped=mapped,
        held=held,
        rewritten=sum(places[use.weight][1] for use in copied),
        spare=max(0, mapped - sum(one.bytes for one in plain)),
    )


def _looked_up(copied: list[Use]) -> set[str]:
    """Tables that tokens are looked up in stay as they are, even where their product is made with a copy."""
    return {use.tensor.name for use in copied if "_embd" in use.tensor.name}


def _span(plain: list[TensorInfo]) -> int:
    """Bytes of the file from the first to the last tensor that is used where it is mapped: the rest is unmapped."""
    if not plain:
        return 0
    first = min(one.offset for one in plain) // PAGE * PAGE
    last = max(one.offset + one.bytes for one in plain)
    return -(-(last - first) // PAGE) * PAGE


def vocabulary_bytes(header: GgufHeader) -> int:
    """What the engine's tables of tokens would take if this header had a vocabulary; 0 where it has one."""
    if metadata.text(header, "tokenizer.ggml.model") not in NO_TOKENIZER:
        return 0
    return (describe(header).vocabulary or 0) * VOCABULARY_BYTES


def _only_here(
    settings: Settings, lies: Layout, places: Mapping[Weight, Place] | None, refused: str | None
) -> str | None:
    if not settings.get("repack") or settings.get("gpu_layers"):
        return None
    if refused is not None:
        return (
            f"llama.cpp fails on this host with weights rewritten for its processor ({refused}): "
            "it is planned without, as --set repack=off runs it"
        )
    if places is None:
        return "which weights the engine rewrites for its processor could not be asked: none are counted"
    kinds = sorted({place for place, _ in places.values() if place is not None})
    if not lies.rewritten:
        return "this host's processor needs no rewritten copy of these weights; another one may"
    return (
        f"copies rewritten for this host's processor ({', '.join(kinds)}); another one rewrites other types"
    )
