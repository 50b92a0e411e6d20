"""Whole arrays of a GGUF file's metadata, such as its vocabulary, which its header only summarises."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from profiler.builds.cursor import Cursor
from profiler.builds.gguf import (
    MAX_KEY_BYTES,
    SMALLEST_KEY_BYTES,
    SMALLEST_TENSOR_BYTES,
    read_value,
    read_version,
)
from profiler.builds.gguf_types import ARRAY, SCALARS, STRING
from profiler.builds.model_file import opened, shown, shown_name

Array = list[bytes] | list[float]


def read_arrays(path: Path, keys: Collection[str]) -> dict[str, Array]:
    """The arrays at these keys, strings as bytes. Absent keys and other values are left out.

    Raises BadModelFile for a damaged file.
    """
    found: dict[str, Array] = {}
    with opened(path) as file:
        cursor = Cursor(file, shown_name(path))
        read_version(cursor)
        cursor.count("tensors", SMALLEST_TENSOR_BYTES)
        count = cursor.count("metadata keys", SMALLEST_KEY_BYTES)
        for index in range(count):
            key = cursor.identifier(f"the name of metadata key {index + 1} of {count}", MAX_KEY_BYTES)
            what = f"the value of {shown(key)}"
            if key not in keys:
                read_value(cursor, what)
            elif cursor.u32(what) == ARRAY:
                found[key] = _read_array(cursor, what)
            else:
                raise cursor.bad(f"{shown(key)} is not an array; convert the model again")
    return found


def _read_array(cursor: Cursor, what: str) -> Array:
    kind, length = cursor.u32(what), cursor.u64(what)
    if kind == STRING:
        if length * 8 > cursor.size:
            raise cursor.bad(f"{what} declares {length} strings, more than the file can hold")
        return [cursor.read(cursor.u64(what), what) for _ in range(length)]
    if kind not in SCALARS:
        raise cursor.bad(f"{what} is an array of the unknown type {kind}")
    layout = SCALARS[kind][1]
    return [value for (value,) in layout.iter_unpack(cursor.read(length * layout.size, what))]
