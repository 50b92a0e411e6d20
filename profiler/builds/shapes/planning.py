"""What the file of a catalogue model's shape holds: the whole model, or fewer layers and experts of it."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

import msgspec
from msgspec.structs import replace

from profiler.builds.shapes.blueprint import Blueprint, blueprint
from profiler.builds.shapes.header import Tensor, Value
from profiler.builds.shapes.layer_tensors import Spec, head_length
from profiler.builds.shapes.layers import LAYER, Kept, kept_layers
from profiler.builds.shapes.mixes import MIXES, mix_named, mixed
from profiler.builds.shapes.rope import ROPE_TABLE, rope_factors, rotated
from profiler.builds.shapes.stated import stated_metadata
from profiler.builds.shapes.vocabulary import vocabulary_metadata
from profiler.catalogue.models import Experts, Shape
from profiler.errors import UserError
from profiler.runfile import RandomWeights


class ShapeFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file to write: its metadata and tensors, and the data that is `known`; all other data is random.

    `random` says how much of its model it keeps. `bytes_off` is by what share the bytes of one of its layers differ
    from the model's, on average and leading dense layers left out.
    """

    metadata: dict[str, Value]
    tensors: list[Tensor]
    known: dict[str, bytes]
    random: RandomWeights
    bytes_off: float


def of_catalogue(
    shape: Shape, name: str, quantization: str, layers: int | None, experts: int | None
) -> ShapeFile:
    """The file of a model of the catalogue. Raises `UserError` for what cannot be asked of it."""
    mix = mix_named(quantization)
    words = vocabulary_metadata(shape.vocabulary, name)
    fewer = _fewer_experts(shape.experts, name, experts)
    full = mixed(blueprint(shape, name), name, mix)
    kept = _kept(shape, full, layers)
    random = RandomWeights(
        layers=len(kept.layers),
        of_layers=kept.of_layers,
        experts=fewer.count if fewer else None,
        of_experts=shape.experts.count if shape.experts else None,
    )
    plan = blueprint(replace(shape, layers=random.layers, experts=fewer), name)
    return ShapeFile(
        metadata=plan.metadata | stated_metadata(name, random, MIXES[mix]) | words,
        tensors=_typed(plan.specs, kept, {tensor.name: tensor.type_name for tensor in full}),
        known=_rope_tables(shape, plan),
        random=random,
        bytes_off=kept.bytes_off,
    )


def _kept(shape: Shape, full: Sequence[Tensor], layers: int | None) -> Kept:
    arch = shape.gguf_architecture
    return kept_layers(
        full, layers, period=shape.layer_period, leading=shape.leading_layers, architecture=arch
    )


def _fewer_experts(found: Experts | None, name: str, wanted: int | None) -> Experts | None:
    if wanted is None:
        return found
    if found is None:
        raise UserError(f"--experts {wanted}: {name} has no experts; leave the option out")
    if not found.active <= wanted <= found.count:
        raise UserError(
            f"--experts {wanted}: {name} has {found.count} and uses {found.active} for a token; "
            f"accepted: {found.active} to {found.count}"
        )
    return replace(found, count=wanted)


def _typed(specs: Sequence[Spec], kept: Kept, types: Mapping[str, str]) -> list[Tensor]:
    """Tensors with the types that the layers they stand for have in the whole model."""
    return [
        Tensor(name=spec.name, shape=spec.shape, type_name=types[_original(spec.name, kept)])
        for spec in specs
    ]


def _original(name: str, kept: Kept) -> str:
    match = LAYER.match(name)
    return f"blk.{kept.layers[int(match[1])]}.{match[2]}" if match else name


def _rope_tables(shape: Shape, plan: Blueprint) -> dict[str, bytes]:
    dimensions = rotated(shape, head_length(shape))
    names = [spec.name for spec in plan.specs if ROPE_TABLE.fullmatch(spec.name)]
    return {
        name: struct.pack(f"<{dimensions // 2}f", *rope_factors(name, shape, dimensions)) for name in names
    }
