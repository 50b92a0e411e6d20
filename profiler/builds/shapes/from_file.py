"""What the shape of a GGUF file holds: all that its header says, its vocabulary included, and random weights."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from profiler.builds import metadata
from profiler.builds.cursor import Cursor
from profiler.builds.describe import GgufModel, describe
from profiler.builds.gguf import (
    MAX_KEY_BYTES,
    SMALLEST_KEY_BYTES,
    SMALLEST_TENSOR_BYTES,
    GgufHeader,
    read_header,
    read_value,
    read_version,
)
from profiler.builds.gguf_types import ARRAY, SCALARS
from profiler.builds.model_file import opened, shown, shown_name
from profiler.builds.shapes.blueprint import Blueprint
from profiler.builds.shapes.header import Tensor, Value
from profiler.builds.shapes.layer_tensors import Spec
from profiler.builds.shapes.layers import LAYER, Kept, by_layer, kept_layers
from profiler.builds.shapes.mixes import MIXES, mix_named, mixed
from profiler.builds.shapes.planning import ShapeFile
from profiler.builds.shapes.random_blocks import can_be_random
from profiler.builds.shapes.rope import ROPE_TABLE
from profiler.builds.shapes.stated import stated_metadata
from profiler.errors import UserError
from profiler.runfile import RandomWeights

ALIGNMENT = "general.alignment"
"""What a shape does not take over: its own alignment is the usual one."""

ARRAY_HEAD = struct.Struct("<IIQ")


def of_file(path: Path, quantization: str | None, layers: int | None) -> ShapeFile:
    """The shape of the file at `path`, in its own storage types or in a mix. Raises `UserError` for what cannot be."""
    header = read_header(path)
    model = describe(header)
    parts = metadata.count(header, "split.count") or 1
    if parts > 1:
        raise UserError(
            f"{header.file_name}: is one of {parts} parts of a model; join them, or name a whole file"
        )
    raw = raw_metadata(path)
    mix = None if quantization is None else mix_named(quantization)
    name = model.name or shown(path.stem)
    full = _own_tensors(header) if mix is None else mixed(_blueprint(header, raw), name, mix)
    kept = _kept(header, model, full, layers)
    random = RandomWeights(layers=len(kept.layers), of_layers=kept.of_layers)
    return ShapeFile(
        metadata=raw | _cut(raw, model, kept) | stated_metadata(name, random, MIXES[mix] if mix else None),
        tensors=list(_renumbered(full, kept)),
        known=_rope_tables(path, header),
        random=random,
        bytes_off=kept.bytes_off,
    )


def raw_metadata(path: Path) -> dict[str, Value]:
    """The values of the file's metadata by key, each as the bytes that the file has for it."""
    places: dict[str, tuple[int, int]] = {}
    with opened(path) as file:
        cursor = Cursor(file, shown_name(path))
        read_version(cursor)
        cursor.count("tensors", SMALLEST_TENSOR_BYTES)
        for _ in range(cursor.count("metadata keys", SMALLEST_KEY_BYTES)):
            key = cursor.identifier("the name of a metadata key", MAX_KEY_BYTES)
            start = cursor.position
            read_value(cursor, f"the value of {shown(key)}")
            if key != ALIGNMENT:
                places[key] = (start, cursor.position)
        found: dict[str, Value] = {}
        for key, (start, end) in places.items():
            file.seek(start)
            found[key] = file.read(end - start)
    return found


def _own_tensors(header: GgufHeader) -> list[Tensor]:
    tensors = [Tensor(name=t.name, shape=t.shape, type_name=t.type_name) for t in header.tensors]
    for tensor in tensors:
        if not can_be_random(tensor.type_name):
            raise UserError(
                f"{header.file_name}: {shown(tensor.name)} is stored as {tensor.type_name}, "
                "of which no random weights are made; choose a mix with --quant"
            )
    return tensors


def _blueprint(header: GgufHeader, raw: Mapping[str, Value]) -> Blueprint:
    specs = tuple(Spec(t.name, t.shape, plain=t.type_name == "F32") for t in header.tensors)
    return Blueprint(metadata=dict(raw), specs=specs)


def _kept(header: GgufHeader, model: GgufModel, tensors: Sequence[Tensor], layers: int | None) -> Kept:
    arch = model.architecture
    leading = metadata.count(header, f"{arch}.leading_dense_block_count") or 0
    period = _period(by_layer(tensors)[leading:], model, leading)
    if layers is not None and metadata.count(header, f"{arch}.nextn_predict_layers"):
        raise UserError(
            f"--layers {layers}: {header.file_name} has layers that draft tokens; leave the option out"
        )
    return kept_layers(tensors, layers, period=period, leading=leading, architecture=arch)


def _period(layers: Sequence[Sequence[Tensor]], model: GgufModel, leading: int) -> int:
    """After how many layers tensors, their shapes and the kind of attention are the same again."""
    caches = model.cache[leading:]
    kinds = [
        (caches[n] if n < len(caches) else None, tuple((t.name.split(".", 2)[2], t.shape) for t in layer))
        for n, layer in enumerate(layers)
    ]
    periods = range(1, len(kinds))
    return next((p for p in periods if kinds[p:] == kinds[:-p]), max(len(kinds), 1))


def _cut(raw: Mapping[str, Value], model: GgufModel, kept: Kept) -> dict[str, Value]:
    """What changes with the number of layers: it itself, and the arrays with one value for each."""
    if len(kept.layers) == kept.of_layers:
        return {}
    own = {key: value for key, value in raw.items() if key.startswith(f"{model.architecture}.")}
    arrays: dict[str, Value] = {
        key: _for_layers(value, kept) for key, value in own.items() if isinstance(value, bytes)
    }
    return arrays | {f"{model.architecture}.block_count": len(kept.layers)}


def _for_layers(value: bytes, kept: Kept) -> bytes:
    if struct.unpack_from("<I", value)[0] != ARRAY:
        return value
    _, kind, length = ARRAY_HEAD.unpack_from(value)
    if kind not in SCALARS or length != kept.of_layers:
        return value
    size, body = SCALARS[kind][1].size, value[ARRAY_HEAD.size :]
    parts = (body[layer * size : (layer + 1) * size] for layer in kept.layers)
    return ARRAY_HEAD.pack(ARRAY, kind, len(kept.layers)) + b"".join(parts)


def _renumbered(tensors: Sequence[Tensor], kept: Kept) -> Iterator[Tensor]:
    places = {layer: place for place, layer in enumerate(kept.layers)}
    for tensor in tensors:
        match = LAYER.match(tensor.name)
        if match is None:
            yield tensor
        elif int(match[1]) in places:
            name = f"blk.{places[int(match[1])]}.{match[2]}"
            yield Tensor(name=name, shape=tensor.shape, type_name=tensor.type_name)


def _rope_tables(path: Path, header: GgufHeader) -> dict[str, bytes]:
    """Tables of the positions are no weights: they are copied."""
    found = {}
    with opened(path) as file:
        for tensor in header.tensors:
            if ROPE_TABLE.fullmatch(tensor.name):
                file.seek(header.data_offset + tensor.offset)
                found[tensor.name] = file.read(tensor.bytes)
    return found
