"""Reads the header of a GGUF file: its metadata and its table of tensors, never the tensor data.

Layout, little-endian: magic 'GGUF', u32 version, u64 tensors, u64 keys; the keys with their values; the
table of tensors; the data, aligned. Source: the GGUF specification (ggml, docs/gguf.md).
"""

from __future__ import annotations

import math
import stat
from itertools import pairwise
from pathlib import Path

import msgspec

from profiler.builds.cursor import Cursor
from profiler.builds.foreign import HEAD_BYTES, likeness
from profiler.builds.gguf_types import ARRAY, REMOVED_TENSOR_TYPES, SCALARS, STRING, TENSOR_TYPES, TensorType
from profiler.builds.model_file import BadModelFile, opened, shown, shown_name

__all__ = [
    "ArraySummary",
    "BadModelFile",
    "GgufHeader",
    "StringSummary",
    "TensorInfo",
    "is_gguf",
    "read_header",
    "read_value",
    "read_version",
]

MAGIC = b"GGUF"
VERSIONS = (2, 3)
DEFAULT_ALIGNMENT = 32
MAX_ALIGNMENT = 1 << 16
MAX_DIMENSIONS = 4
MAX_ELEMENTS = (1 << 63) - 1
MAX_KEY_BYTES = 64 << 10
MAX_TENSOR_NAME_BYTES = 64
MAX_STRING_BYTES = 1 << 20
MAX_ARRAY_KEPT = 1024
SMALLEST_KEY_BYTES = 8 + 1 + 4 + 1
SMALLEST_TENSOR_BYTES = 8 + 1 + 4 + 8 + 4 + 8


class ArraySummary(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An array of the metadata. `values` is None for strings, and for more numbers than are kept."""

    element_type: str
    length: int
    values: tuple[bool | int | float, ...] | None = None


class StringSummary(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A string of the metadata that was not kept, and why."""

    bytes: int
    reason: str


Value = bool | int | float | str | ArraySummary | StringSummary


class TensorInfo(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One tensor: `shape` in ggml order (row length first), `offset` in bytes from the start of the data."""

    name: str
    shape: tuple[int, ...]
    type_name: str
    bytes: int
    offset: int


class GgufHeader(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a GGUF file of `byte_size` bytes says before its data, which starts at byte `data_offset`."""

    file_name: str
    version: int
    byte_size: int
    metadata: dict[str, Value]
    tensors: tuple[TensorInfo, ...]
    data_offset: int


def is_gguf(path: Path) -> bool:
    """Whether `path` is a regular file that begins with the GGUF magic, whatever its name."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return False
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except (OSError, ValueError):
        return False


def read_header(path: Path) -> GgufHeader:
    """The header of the GGUF file at `path`. Raises BadModelFile unless it is whole and makes sense."""
    with opened(path) as file:
        cursor = Cursor(file, shown_name(path))
        version = read_version(cursor)
        tensor_count = cursor.count("tensors", SMALLEST_TENSOR_BYTES)
        key_count = cursor.count("metadata keys", SMALLEST_KEY_BYTES)
        metadata = _read_metadata(cursor, key_count)
        alignment = _alignment(cursor, metadata)
        tensors = _read_tensors(cursor, tensor_count)
    data_offset = -(-cursor.position // alignment) * alignment
    _check_extents(cursor, tensors, data_offset, alignment)
    return GgufHeader(
        file_name=cursor.name,
        version=version,
        byte_size=cursor.size,
        metadata=metadata,
        tensors=tensors,
        data_offset=data_offset,
    )


def read_version(cursor: Cursor) -> int:
    """The version of the format, after the magic at the start of the file."""
    head = cursor.peek(HEAD_BYTES)
    if not head:
        raise cursor.bad("is empty; fetch the file again")
    if not head.startswith(MAGIC[: len(head)]):
        seen = likeness(head)
        first = head[: len(MAGIC)].hex(" ")
        raise cursor.bad("not a GGUF file; it " + (f"looks like {seen}" if seen else f"begins with {first}"))
    cursor.read(len(MAGIC), "the magic")
    version = cursor.u32("the version")
    if version and version & 0xFFFF == 0:
        raise cursor.bad("is a big-endian GGUF file; only little-endian ones are accepted, convert it")
    if version not in VERSIONS:
        raise cursor.bad(f"has GGUF version {version}; accepted: 2, 3; convert the original model again")
    return version


def _read_metadata(cursor: Cursor, count: int) -> dict[str, Value]:
    metadata: dict[str, Value] = {}
    for index in range(count):
        key = cursor.identifier(f"the name of metadata key {index + 1} of {count}", MAX_KEY_BYTES)
        if key in metadata:
            raise cursor.bad(f"the metadata key {shown(key)} appears twice")
        metadata[key] = read_value(cursor, f"the value of {shown(key)}")
    return metadata


def read_value(cursor: Cursor, what: str) -> Value:
    """One value of the metadata, from its type on. Long ones are summarised."""
    kind = cursor.u32(what)
    if kind == STRING:
        return _read_string(cursor, what)
    if kind == ARRAY:
        return _read_array(cursor, what)
    if kind not in SCALARS:
        raise cursor.bad(f"{what} has the unknown type {kind}")
    _, layout = SCALARS[kind]
    scalar: bool | int | float = layout.unpack(cursor.read(layout.size, what))[0]
    return scalar


def _read_string(cursor: Cursor, what: str) -> str | StringSummary:
    length = cursor.u64(what)
    if length > MAX_STRING_BYTES or not cursor.keeps(length):
        cursor.skip(length, what)
        return StringSummary(bytes=length, reason="too long to keep")
    try:
        return cursor.read(length, what).decode("utf-8")
    except UnicodeDecodeError:
        return StringSummary(bytes=length, reason="not valid UTF-8")


def _read_array(cursor: Cursor, what: str) -> ArraySummary:
    kind = cursor.u32(what)
    length = cursor.u64(what)
    if kind == STRING:
        cursor.skip_strings(length, what)
        return ArraySummary(element_type="string", length=length)
    if kind not in SCALARS:
        raise cursor.bad(f"{what} is an array of {'arrays' if kind == ARRAY else f'the unknown type {kind}'}")
    element_type, layout = SCALARS[kind]
    size = length * layout.size
    if length > MAX_ARRAY_KEPT or not cursor.keeps(size):
        cursor.skip(size, what)
        return ArraySummary(element_type=element_type, length=length)
    values = tuple(value for (value,) in layout.iter_unpack(cursor.read(size, what)))
    return ArraySummary(element_type=element_type, length=length, values=values)


def _alignment(cursor: Cursor, metadata: dict[str, Value]) -> int:
    found = metadata.get("general.alignment", DEFAULT_ALIGNMENT)
    if type(found) is int and 0 < found <= MAX_ALIGNMENT and found.bit_count() == 1:
        return found
    seen = found if isinstance(found, int | float) else "not a number"
    raise cursor.bad(f"general.alignment is {seen}; accepted: a power of two up to {MAX_ALIGNMENT}")


def _read_tensors(cursor: Cursor, count: int) -> tuple[TensorInfo, ...]:
    tensors: dict[str, TensorInfo] = {}
    for index in range(count):
        name = cursor.identifier(f"the name of tensor {index + 1} of {count}", MAX_TENSOR_NAME_BYTES)
        if name in tensors:
            raise cursor.bad(f"the tensor {shown(name)} appears twice")
        tensors[name] = _read_tensor(cursor, name, f"tensor {shown(name)}")
    return tuple(tensors.values())


def _read_tensor(cursor: Cursor, name: str, what: str) -> TensorInfo:
    dimensions = cursor.u32(what)
    if not 0 < dimensions <= MAX_DIMENSIONS:
        raise cursor.bad(f"{what} has {dimensions} dimensions; accepted: 1 to {MAX_DIMENSIONS}")
    shape = tuple(cursor.u64(what) for _ in range(dimensions))
    tensor_type = _tensor_type(cursor, what)
    elements = math.prod(shape)
    if not 0 < elements <= MAX_ELEMENTS:
        raise cursor.bad(f"{what} has the impossible shape {' x '.join(map(str, shape))}")
    if shape[0] % tensor_type.block:
        blocks = f"{tensor_type.name} stores blocks of {tensor_type.block}"
        raise cursor.bad(f"{what} has rows of {shape[0]} weights, but {blocks}")
    return TensorInfo(
        name=name,
        shape=shape,
        type_name=tensor_type.name,
        bytes=elements // tensor_type.block * tensor_type.block_bytes,
        offset=cursor.u64(what),
    )


def _tensor_type(cursor: Cursor, what: str) -> TensorType:
    number = cursor.u32(what)
    if number in REMOVED_TENSOR_TYPES:
        old = REMOVED_TENSOR_TYPES[number]
        raise cursor.bad(f"{what} has the type {old}, which engines no longer read; quantize the model again")
    if number not in TENSOR_TYPES:
        raise cursor.bad(f"{what} has the unknown type {number}; the file is damaged or too new")
    return TENSOR_TYPES[number]


def _check_extents(cursor: Cursor, tensors: tuple[TensorInfo, ...], data_offset: int, alignment: int) -> None:
    for tensor in tensors:
        name, end = shown(tensor.name), data_offset + tensor.offset + tensor.bytes
        if tensor.offset % alignment:
            raise cursor.bad(f"tensor {name} starts at {tensor.offset}, which is not aligned to {alignment}")
        if end > cursor.size:
            raise cursor.bad(f"truncated: tensor {name} ends at byte {end} but the file has {cursor.size}")
    for before, after in pairwise(sorted(tensors, key=lambda tensor: tensor.offset)):
        if before.offset + before.bytes > after.offset:
            raise cursor.bad(f"the tensors {shown(before.name)} and {shown(after.name)} overlap")
