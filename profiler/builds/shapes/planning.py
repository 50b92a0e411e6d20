"""What the file of a catalogue model's shape holds: the whole model, or fewer layers and experts of it."""

from __future__ import annotations

import struct
from collections.abc import Mapping

import msgspec
from msgspec.structs import replace

from profiler.builds.shapes.blueprint import Blueprint, blueprint
from profiler.builds.shapes.header import Tensor, Value
from profiler.builds.shapes.layer_tensors import Spec, head_length
from profiler.builds.shapes.layers import LAYER, Kept, kept_layers
from profiler.builds.shapes.mixes import MIXES, mix_named, mixed
from profiler.builds.shapes.rope import ROPE_TABLE, rope_factors, rotated
from profiler.builds.shapes.vocabulary import vocabulary_metadata
from profiler.catalogue.models import Shape
from profiler.errors import UserError

PREFIX = "edgeprof.shape"


class ShapeFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file to write: what it says, its tensors, the data that is not random, and what it keeps of the model."""

    metadata: dict[str, Value]
    tensors: list[Tensor]
    known: dict[str, bytes]
    kept: Kept
    experts: int | None = None
    of_experts: int | None = None


def of_catalogue(
    shape: Shape, name: str, quantization: str, layers: int | None, experts: int | None
) -> ShapeFile:
    """The file of a model of the catalogue. Raises `UserError` for what cannot be asked of it."""
    mix = mix_named(quantization)
    full = mixed(blueprint(shape, name), name, mix)
    found = shape.experts
    leading = found.leading_dense_layers if found else 0
    kept = kept_layers(
        full, layers, period=shape.layer_period, leading=leading, architecture=shape.gguf_architecture
    )
    cut = _cut(shape, name, len(kept.layers), experts)
    plan = blueprint(cut, title(name, kept))
    words = vocabulary_metadata(shape.vocabulary, name)
    types = {tensor.name: tensor.type_name for tensor in full}
    count = cut.experts.count if cut.experts else None
    return ShapeFile(
        metadata=plan.metadata
        | own_keys(kept, MIXES[mix])
        | _own_experts(count, found.count if found else None)
        | words,
        tensors=[_typed(spec, kept, types) for spec in plan.specs],
        known=_rope_tables(shape, plan),
        kept=kept,
        experts=count,
        of_experts=found.count if found else None,
    )


def _cut(shape: Shape, name: str, layers: int, experts: int | None) -> Shape:
    found = shape.experts
    if experts is None:
        return replace(shape, layers=layers)
    if found is None:
        raise UserError(f"--experts {experts}: {name} has no experts; leave the option out")
    if not found.active <= experts <= found.count:
        raise UserError(
            f"--experts {experts}: {name} has {found.count} and uses {found.active} for a token; "
            f"accepted: {found.active} to {found.count}"
        )
    return replace(shape, layers=layers, experts=replace(found, count=experts))


def _typed(spec: Spec, kept: Kept, types: Mapping[str, str]) -> Tensor:
    """A tensor with the type that the layer it stands for has in the whole model."""
    match = LAYER.match(spec.name)
    source = f"blk.{kept.layers[int(match[1])]}.{match[2]}" if match else spec.name
    return Tensor(name=spec.name, shape=spec.shape, type_name=types[source])


def _rope_tables(shape: Shape, plan: Blueprint) -> dict[str, bytes]:
    dimensions = rotated(shape, head_length(shape))
    names = [spec.name for spec in plan.specs if ROPE_TABLE.match(spec.name)]
    return {
        name: struct.pack(f"<{dimensions // 2}f", *rope_factors(name, shape, dimensions)) for name in names
    }


def title(name: str, kept: Kept) -> str:
    """The name of a file that keeps so much of the model called `name`."""
    return f"{name} (shape, random weights, {len(kept.layers)} of {kept.of_layers} layers)"


def own_keys(kept: Kept, file_type: int | None) -> dict[str, Value]:
    """What a shape's file says of being one, and the mix it is in."""
    stated: dict[str, Value] = {
        f"{PREFIX}.random_weights": True,
        f"{PREFIX}.layers": len(kept.layers),
        f"{PREFIX}.of_layers": kept.of_layers,
    }
    if file_type is not None:
        stated |= {"general.file_type": file_type, "general.quantization_version": 2}
    return stated


def _own_experts(count: int | None, of: int | None) -> dict[str, Value]:
    if count is None or of is None:
        return {}
    return {f"{PREFIX}.experts": count, f"{PREFIX}.of_experts": of}
