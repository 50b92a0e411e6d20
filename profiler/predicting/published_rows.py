"""Decode speeds that others published, with what each row needs to be compared: bytes read and bandwidth.

Four tables: the results, the devices they ran on, the models' parameters and the bits of the quantizations. A result
that cannot be compared stays in the table, with the reason in `left_out`.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import msgspec

FOLDER = Path(__file__).parent / "data"

Target = Literal["cpu", "gpu", "npu"]
Words = Annotated[str, msgspec.Meta(min_length=1)]
Positive = Annotated[float, msgspec.Meta(gt=0, le=1e15)]
T = TypeVar("T")


class Result(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One published result as its table has it. `depth`: tokens in the KV cache, on average over the decode."""

    device: Words
    target: Target
    model: Words
    quantization: str | None
    engine: Words
    depth: Annotated[float, msgspec.Meta(ge=0)]
    decode_tps: Positive | None
    prefill_tps: Positive | None
    source: Words
    date: str | None
    confidence: Literal["high", "medium", "low"]
    left_out: str | None


class Machine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A device of the results. Devices of one `group` have the same chip; `profile` is the id of its profile."""

    device: Words
    group: Words
    profile: str | None
    gpu_maker: str | None
    bytes_per_s: Positive | None
    bandwidth_source: str | None


class Weights(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model: parameters that a token reads, those of the output table among them, keys and values of one token."""

    model: Words
    parameters_read: Positive
    output_parameters: Positive
    kv_elements: Positive
    source: Words


class Bits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bits for each parameter, other than and of the output table; what had to be `assumed`, where it is not stated."""

    quantization: Words
    bits: Positive
    output_bits: Positive
    assumed: str | None
    source: Words


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """A result that can be compared: `seconds` for a token that reads `read_bytes`."""

    device: str
    group: str
    profile: str | None
    gpu_maker: str | None
    target: Target
    model: str
    parameters: float
    engine: str
    read_bytes: float
    bytes_per_s: float | None
    seconds: float
    prefill_tps: float | None


@cache
def results() -> tuple[Result, ...]:
    """Every published result, those that are left out too."""
    return _table("published_results.csv", Result)


@cache
def machines() -> tuple[Machine, ...]:
    """The devices of the results that are not left out, and further ones with the same chip."""
    return _table("published_devices.csv", Machine)


@cache
def published() -> tuple[Published, ...]:
    """The results that can be compared."""
    devices = {machine.device: machine for machine in machines()}
    models = {model.model: model for model in _table("published_models.csv", Weights)}
    kinds = {bits.quantization: bits for bits in _table("published_quantizations.csv", Bits)}
    return tuple(
        _joined(row, devices[row.device], models[row.model], kinds[row.quantization or ""])
        for row in results()
        if row.left_out is None
    )


def group_of(profile_id: str) -> str | None:
    """The group of devices with the chip of this profile; None if there are no published results of one."""
    return next((machine.group for machine in machines() if machine.profile == profile_id), None)


def _joined(row: Result, device: Machine, model: Weights, bits: Bits) -> Published:
    assert row.decode_tps is not None
    return Published(
        device=row.device,
        group=device.group,
        profile=device.profile,
        gpu_maker=device.gpu_maker,
        target=row.target,
        model=row.model,
        parameters=model.parameters_read,
        engine=row.engine,
        read_bytes=_read_bytes(model, bits, row.depth),
        bytes_per_s=device.bytes_per_s,
        seconds=1 / row.decode_tps,
        prefill_tps=row.prefill_tps,
    )


def _read_bytes(model: Weights, bits: Bits, depth: float) -> float:
    """All weights that a token takes part in, and the KV cache in 16 bits."""
    body = (model.parameters_read - model.output_parameters) * bits.bits
    return (body + model.output_parameters * bits.output_bits) / 8 + depth * model.kv_elements * 2


def _table(name: str, kind: type[T]) -> tuple[T, ...]:
    lines = (FOLDER / name).read_text("utf-8").splitlines()
    return tuple(decoded(csv.DictReader(lines), kind))


def decoded(rows: Iterable[dict[str, str]], kind: type[T]) -> list[T]:
    """Rows of a table as structs; an empty cell is None. Raises msgspec.ValidationError for what does not fit."""
    return [msgspec.convert({k: v or None for k, v in row.items()}, kind, strict=False) for row in rows]
