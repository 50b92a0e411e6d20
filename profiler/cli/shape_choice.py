"""Which shapes of a model are measured on this machine."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import msgspec

from profiler.builds.shapes.blueprint import blueprint
from profiler.builds.shapes.header import Tensor, data_bytes
from profiler.builds.shapes.layers import Kept, by_layer, kept_layers
from profiler.builds.shapes.mixes import mix_named, mixed
from profiler.catalogue.models import ModelProfile, Shape
from profiler.errors import UserError
from profiler.measure import layer_counts
from profiler.measure.layer_counts import Room, Sized

FEW_BYTES_OFF = 0.001


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked of a model: its mix, its experts, the layers of its shapes. `force` goes against a rule.

    `hollow` files have no data: for a plan that is only shown.
    """

    quantization: str | None = None
    layers: list[int] | None = None
    experts: int | None = None
    force: bool = False
    hollow: bool = False


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """A model, its mix and the numbers of layers of its shapes, before anything is written."""

    model: ModelProfile
    mix: str
    counts: list[int]
    experts: int | None
    bytes_off: float
    doubts: list[str]
    of_machine: str | None = None


def choose(model: ModelProfile, wish: Wish, room: Room) -> Chosen:
    """The shapes of a model on a machine with this room. Raises `UserError` for what cannot be had or told."""
    shape = model.shape
    mix = mix_named(shape.usual_mix if wish.quantization is None else wish.quantization)
    thin = _with_experts(model, wish.experts)
    tensors = mixed(blueprint(thin, model.id), model.id, mix)
    leading, possible = shape.leading_layers, _possible(tensors, shape)
    if wish.layers is None:
        sizes = {count: _sized(tensors, shape, count) for count in possible}
        counts, doubts = layer_counts.chosen(model.id, sizes, leading, shape.layers, room), []
    else:
        counts = _fewer(model, wish.layers)
        sizes = {count: _sized(tensors, shape, count) for count in counts}
        doubts = layer_counts.check(model.id, counts, sizes, leading, room)
        if doubts and not wish.force:
            raise UserError(f"{model.id} {doubts[0]}: choose other --layers, or take it so with --force")
    off = max((sizes[count].bytes_off for count in counts), key=abs)
    return Chosen(
        model=model,
        mix=mix,
        counts=counts,
        experts=wish.experts,
        bytes_off=off,
        doubts=doubts,
        of_machine=room.assumed,
    )


def _fewer(model: ModelProfile, counts: list[int]) -> list[int]:
    """Those asked for. Raises `UserError` where one is not a part of the model."""
    if max(counts) >= model.shape.layers:
        raise UserError(
            f"--layers {max(counts)}: {model.id} has {model.shape.layers}, and a shape has fewer; to measure a whole "
            f"one beside them, write it with edgeprof build shape {model.id} and name its file"
        )
    return counts


def _with_experts(model: ModelProfile, experts: int | None) -> Shape:
    found = model.shape.experts
    if experts is None:
        return model.shape
    if found is None or not found.active <= experts < found.count:
        has = f"has {found.count} and uses {found.active} for a token" if found else "has no experts"
        raise UserError(
            f"--experts {experts}: {model.id} {has}; fewer than it has, and no fewer than it uses, are taken"
        )
    return msgspec.structs.replace(model.shape, experts=msgspec.structs.replace(found, count=experts))


def _possible(tensors: Sequence[Tensor], shape: Shape) -> list[int]:
    """Whole periods, fewer than all; what the engine takes for another model is refused where it is made."""
    first = shape.leading_layers + shape.layer_period
    found = []
    for count in range(first, shape.layers, shape.layer_period):
        with contextlib.suppress(UserError):
            _kept(tensors, shape, count)
            found.append(count)
    return found


def _sized(tensors: Sequence[Tensor], shape: Shape, count: int) -> Sized:
    kept = _kept(tensors, shape, count)
    layers = by_layer(tensors)
    mine = [tensor for number in kept.layers for tensor in layers[number]]
    of_layers = {tensor.name for layer in layers for tensor in layer}
    beside = [tensor for tensor in tensors if tensor.name not in of_layers]
    return Sized(
        file_bytes=data_bytes([*beside, *mine]), layer_bytes=data_bytes(mine), bytes_off=kept.bytes_off
    )


def _kept(tensors: Sequence[Tensor], shape: Shape, count: int) -> Kept:
    return kept_layers(
        tensors,
        count,
        period=shape.layer_period,
        leading=shape.leading_layers,
        architecture=shape.gguf_architecture,
        fewer=True,
    )


def assumptions(one: Chosen) -> list[str]:
    """What holds for the shapes and may not for the model, in sentences."""
    experts = one.model.shape.experts
    told = [f"of the shapes, {doubt}" for doubt in one.doubts]
    told += [one.of_machine] if one.of_machine is not None else []
    if abs(one.bytes_off) > FEW_BYTES_OFF:
        told.append(
            f"a layer of the shapes has up to {100 * one.bytes_off:+.2g}% of the bytes of the model's mean layer"
        )
    if experts is not None:
        told.append(
            "random routers choose experts almost evenly; those of a trained model prefer some of them"
        )
    if experts is not None and one.experts is not None:
        told.append(
            f"the shapes have {one.experts} of {experts.count} experts in a layer: a token reads as much, and each "
            "gets more rows of a prompt than an expert of the model"
        )
    return told
