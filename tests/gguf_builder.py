"""Writes small GGUF files, sound ones and wrong ones, byte by byte."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

F32, F16, Q4_0, Q8_0, Q4_K = 0, 1, 2, 8, 12
BLOCKS = {F32: (1, 4), F16: (1, 2), Q4_0: (32, 18), Q8_0: (32, 34), Q4_K: (256, 144)}


def number(kind: int, code: str, value: float) -> bytes:
    return struct.pack("<I" + code, kind, value)


def u32(value: int) -> bytes:
    return number(4, "I", value)


def f32(value: float) -> bytes:
    return number(6, "f", value)


def boolean(value: bool) -> bytes:
    return number(7, "?", value)


def counted(text: str | bytes) -> bytes:
    data = text.encode() if isinstance(text, str) else text
    return struct.pack("<Q", len(data)) + data


def text(value: str | bytes) -> bytes:
    return struct.pack("<I", 8) + counted(value)


def array(kind: int, length: int, data: bytes) -> bytes:
    return struct.pack("<IIQ", 9, kind, length) + data


def u32s(values: Sequence[int]) -> bytes:
    return array(4, len(values), struct.pack(f"<{len(values)}I", *values))


def booleans(values: Sequence[bool]) -> bytes:
    return array(7, len(values), bytes(values))


def texts(values: Sequence[str]) -> bytes:
    return array(8, len(values), b"".join(map(counted, values)))


@dataclass(frozen=True)
class Tensor:
    name: str | bytes
    shape: Sequence[int]
    kind: int = F32
    offset: int | None = None

    @property
    def size(self) -> int:
        block, block_bytes = BLOCKS.get(self.kind, (1, 1))
        return math.prod(self.shape) // block * block_bytes

    def record(self, offset: int) -> bytes:
        shape = struct.pack(f"<I{len(self.shape)}Q", len(self.shape), *self.shape)
        return counted(self.name) + shape + struct.pack("<IQ", self.kind, offset)


def aligned(position: int, alignment: int = 32) -> int:
    return -(-position // alignment) * alignment


def header(
    metadata: Sequence[tuple[str | bytes, bytes]] = (),
    tensors: Sequence[Tensor] = (),
    *,
    version: int = 3,
    tensor_count: int | None = None,
    key_count: int | None = None,
    alignment: int = 32,
) -> bytes:
    """The header alone, without padding and data; the counts may lie."""
    stated = (
        len(tensors) if tensor_count is None else tensor_count,
        len(metadata) if key_count is None else key_count,
    )
    parts = [b"GGUF", struct.pack("<IQQ", version, *stated)]
    parts += [counted(key) + value for key, value in metadata]
    position = 0
    for tensor in tensors:
        parts.append(tensor.record(position if tensor.offset is None else tensor.offset))
        position = aligned(position + tensor.size, alignment)
    return b"".join(parts)


def gguf(
    metadata: Sequence[tuple[str | bytes, bytes]] = (), tensors: Sequence[Tensor] = (), alignment: int = 32
) -> bytes:
    """A whole file whose data are zeros."""
    head = header(metadata, tensors, alignment=alignment)
    size = 0
    for tensor in tensors:
        size = aligned(size, alignment) + tensor.size
    return head.ljust(aligned(len(head), alignment) + size, b"\0") if tensors else head


LLAMA: Mapping[str, bytes] = {
    "general.architecture": text("llama"),
    "general.name": text("Tiny"),
    "general.file_type": u32(2),
    "llama.block_count": u32(1),
    "llama.context_length": u32(512),
    "llama.embedding_length": u32(64),
    "llama.feed_forward_length": u32(128),
    "llama.attention.head_count": u32(4),
    "llama.attention.head_count_kv": u32(2),
    "tokenizer.ggml.tokens": texts(["<s>", "a", "b"]),
}

LLAMA_TENSORS = (
    Tensor("token_embd.weight", (64, 3), Q4_0),
    Tensor("blk.0.attn_norm.weight", (64,)),
    Tensor("blk.0.attn_q.weight", (64, 64), Q4_0),
    Tensor("output.weight", (64, 3), Q8_0),
)


def llama(
    changes: Mapping[str, bytes | None] | None = None, tensors: Sequence[Tensor] = LLAMA_TENSORS
) -> bytes:
    """A tiny model; `changes` replaces, adds or (None) leaves out metadata keys."""
    metadata = {**LLAMA, **(changes or {})}
    return gguf([(key, value) for key, value in metadata.items() if value is not None], tensors)
