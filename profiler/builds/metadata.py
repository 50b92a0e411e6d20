"""Typed reading of GGUF metadata: a key holds what it should, or a sentence names the file and the key."""

from __future__ import annotations

from typing import TypeGuard

from profiler.builds.gguf import ArraySummary, GgufHeader, StringSummary, Value
from profiler.builds.model_file import BadModelFile, shown

MAX_COUNT = (1 << 32) - 1


def text(header: GgufHeader, key: str) -> str | None:
    """The string at `key`, or None when the key is absent."""
    found = header.metadata.get(key)
    if found is None or isinstance(found, str):
        return found
    raise _wrong(header, key, found, "a string")


def count(header: GgufHeader, key: str) -> int | None:
    """The whole number from 0 to 2^32 - 1 at `key`, or None when the key is absent."""
    found = header.metadata.get(key)
    if found is None or _is_count(found):
        return found
    raise _wrong(header, key, found, "a whole number from 0")


def required_count(header: GgufHeader, key: str) -> int:
    """The whole number at `key`, which every model must state."""
    found = count(header, key)
    if found is None:
        raise BadModelFile(f"{header.file_name}: has no {shown(key)}, which every language model needs.")
    return found


def per_layer(header: GgufHeader, key: str, layers: int) -> tuple[int, ...] | None:
    """One whole number per layer, from one for all or an array of them; None when the key is absent."""
    found = header.metadata.get(key)
    if found is None:
        return None
    if _is_count(found):
        return (found,) * layers
    values = found.values if isinstance(found, ArraySummary) else None
    if values is None or len(values) != layers or not all(_is_count(value) for value in values):
        raise _wrong(header, key, found, f"a whole number, or an array of one for each of {layers} layers")
    return tuple(map(int, values))


def flag(header: GgufHeader, key: str) -> bool | None:
    """The boolean at `key`, or None when the key is absent."""
    found = header.metadata.get(key)
    if found is None or isinstance(found, bool):
        return found
    raise _wrong(header, key, found, "true or false")


def _is_count(value: Value) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_COUNT


def _wrong(header: GgufHeader, key: str, found: Value, accepted: str) -> BadModelFile:
    return BadModelFile(f"{header.file_name}: {shown(key)} is {_kind(found)}; accepted: {accepted}.")


def _kind(found: Value) -> str:
    match found:
        case bool():
            return "a boolean"
        case int() | float():
            return f"the number {found}"
        case str():
            return f"the string {shown(found)}"
        case StringSummary():
            return f"a string of {found.bytes} bytes, {found.reason}"
        case ArraySummary():
            return f"an array of {found.length} x {found.element_type}"
