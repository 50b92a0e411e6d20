"""Writes the header of a GGUF file: metadata, the table of tensors, and where the data of each begins.

Layout: see profiler/builds/gguf.py. Source: the GGUF specification (ggml, docs/gguf.md).
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from profiler.builds.gguf import DEFAULT_ALIGNMENT, MAGIC
from profiler.builds.gguf_types import ARRAY, STRING, TENSOR_TYPES, TensorType

VERSION = 3
U32, I32, F32, BOOL = 4, 5, 6, 7
NUMBERS = {found.name: number for number, found in TENSOR_TYPES.items()}

Value = bool | int | float | str | list[int] | list[str] | bytes
"""A value of the metadata: u32, f32, arrays of i32 or strings. `bytes` are a value with its type as a file has it."""


class Tensor(msgspec.Struct, frozen=True, kw_only=True):
    """A tensor of a file: `shape` in ggml order (row length first), and the name of its storage type."""

    name: str
    shape: tuple[int, ...]
    type_name: str

    @property
    def type(self) -> TensorType:
        """Its blocks."""
        return TENSOR_TYPES[NUMBERS[self.type_name]]

    @property
    def bytes(self) -> int:
        """Bytes of its data."""
        return math.prod(self.shape) // self.type.block * self.type.block_bytes


def placed(tensors: Sequence[Tensor]) -> Iterator[tuple[Tensor, int]]:
    """Each tensor and the offset of its data from the end of the header."""
    offset = 0
    for tensor in tensors:
        yield tensor, offset
        offset += aligned(tensor.bytes)


def data_bytes(tensors: Sequence[Tensor]) -> int:
    """Bytes of the data of all tensors, aligned."""
    return sum(aligned(tensor.bytes) for tensor in tensors)


def aligned(position: int) -> int:
    """The first aligned position from `position` on."""
    return -(-position // DEFAULT_ALIGNMENT) * DEFAULT_ALIGNMENT


def header_bytes(metadata: Mapping[str, Value], tensors: Sequence[Tensor]) -> bytes:
    """The header of a file with this metadata and these tensors, up to where its data begins."""
    parts = [MAGIC, struct.pack("<IQQ", VERSION, len(tensors), len(metadata))]
    parts += [_text(key) + _value(value) for key, value in metadata.items()]
    parts += [_record(tensor, offset) for tensor, offset in placed(tensors)]
    head = b"".join(parts)
    return head.ljust(aligned(len(head)), b"\0")


def write_hollow(path: Path, metadata: Mapping[str, Value], tensors: Sequence[Tensor]) -> None:
    """A new file with this header, and a hole for its data. Raises OSError where the disk has no such files."""
    head = header_bytes(metadata, tensors)
    with path.open("xb") as file:
        file.write(head)
        file.truncate(len(head) + data_bytes(tensors))


def _record(tensor: Tensor, offset: int) -> bytes:
    shape = struct.pack(f"<I{len(tensor.shape)}Q", len(tensor.shape), *tensor.shape)
    return _text(tensor.name) + shape + struct.pack("<IQ", NUMBERS[tensor.type_name], offset)


def _value(value: Value) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, list):
        kind, parts = (STRING, map(_text, value)) if isinstance(value[0], str) else (I32, map(_i32, value))
        return struct.pack("<IIQ", ARRAY, kind, len(value)) + b"".join(parts)
    if isinstance(value, bool):
        return struct.pack("<I?", BOOL, value)
    if isinstance(value, str):
        return struct.pack("<I", STRING) + _text(value)
    return struct.pack("<II", U32, value) if isinstance(value, int) else struct.pack("<If", F32, value)


def _text(text: object) -> bytes:
    data = str(text).encode()
    return struct.pack("<Q", len(data)) + data


def _i32(number: object) -> bytes:
    return struct.pack("<i", number)
