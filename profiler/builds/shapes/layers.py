"""Which layers of a model a shorter one keeps, so that a layer of it is on average what a layer of the model is."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from fractions import Fraction

import msgspec

from profiler.builds.shapes.header import Tensor
from profiler.errors import UserError

LAYER = re.compile(r"blk\.([0-9]+)\.(.+)")
TAKEN = {"deepseek2": (26, 27)}
"""Depths that llama.cpp takes for another model of the same architecture."""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """The layers kept, in order, and by what share bytes per layer then differ from the model's."""

    layers: tuple[int, ...]
    of_layers: int
    bytes_off: float


def kept_layers(
    tensors: Sequence[Tensor],
    wanted: int | None,
    *,
    period: int,
    leading: int,
    architecture: str,
    fewer: bool = False,
) -> Kept:
    """`wanted` layers of the model of these tensors: the `leading` ones and whole periods of the others.

    Kinds of periods, told apart by the storage types of their tensors, stand in the model's own ratio, by the largest
    remainder. Raises `UserError` for a number that cannot be had, naming those that can; all layers are not among
    them where `fewer` are needed.
    """
    layers = by_layer(tensors)
    total = len(layers)
    if wanted is None or wanted == total:
        return Kept(layers=tuple(range(total)), of_layers=total, bytes_off=0.0)
    taken = TAKEN.get(architecture, ())
    possible = [*range(leading + period, total, period), *([] if fewer else [total])]
    if wanted not in possible or wanted in taken:
        raise UserError(
            f"--layers {wanted}: accepted are {_words(possible, leading, period, taken)}; choose one of them"
        )
    units = [layers[start : start + period] for start in range(leading, total - period + 1, period)]
    chosen = _chosen(units, (wanted - leading) // period)
    kept = [*range(leading), *(leading + unit * period + n for unit in chosen for n in range(period))]
    return Kept(
        layers=tuple(kept),
        of_layers=total,
        bytes_off=_off(layers[leading:], [layers[n] for n in kept[leading:]]),
    )


def by_layer(tensors: Sequence[Tensor]) -> list[list[Tensor]]:
    """The tensors of each layer."""
    found: defaultdict[int, list[Tensor]] = defaultdict(list)
    for tensor in tensors:
        match = LAYER.match(tensor.name)
        if match:
            found[int(match[1])].append(tensor)
    return [found[layer] for layer in sorted(found)]


def _words(possible: Sequence[int], leading: int, period: int, taken: Sequence[int]) -> str:
    but = f", but not {' and '.join(map(str, taken))}" if taken else ""
    if period > 1:
        return f"{', '.join(map(str, possible))}{but} (whole periods of {period} layers)"
    stay = f" ({leading} leading dense layers stay)" if leading else ""
    return f"{possible[0]} to {possible[-1]}{but}{stay}"


def _chosen(units: Sequence[list[list[Tensor]]], wanted: int) -> list[int]:
    """Numbers of units: of each kind its share, spread evenly over where that kind stands."""
    kinds: defaultdict[object, list[int]] = defaultdict(list)
    for number, unit in enumerate(units):
        kinds[_kind(unit)].append(number)
    quotas = _quotas({kind: len(found) for kind, found in kinds.items()}, wanted, _distances(units, kinds))
    chosen = [
        found[(2 * n + 1) * len(found) // (2 * quotas[kind])]
        for kind, found in kinds.items()
        for n in range(quotas[kind])
    ]
    return sorted(chosen)


def _kind(unit: list[list[Tensor]]) -> tuple[tuple[str, str], ...]:
    """The storage types of a period, by the tensors' names without the number of their layer."""
    return tuple(
        (f"{place}.{tensor.name.split('.', 2)[2]}", tensor.type_name)
        for place, layer in enumerate(unit)
        for tensor in layer
    )


def _distances(units: Sequence[list[list[Tensor]]], kinds: dict[object, list[int]]) -> dict[object, float]:
    """How far the bytes of a unit of each kind are from the mean of all."""
    mean = sum(map(_unit_bytes, units)) / len(units)
    return {kind: abs(_unit_bytes(units[found[0]]) - mean) for kind, found in kinds.items()}


def _quotas(counts: dict[object, int], wanted: int, distances: dict[object, float]) -> Counter[object]:
    """`wanted` shared out in the ratio of `counts`; among equal remainders the kind nearest to the mean is first."""
    total = sum(counts.values())
    shares = {kind: Fraction(count * wanted, total) for kind, count in counts.items()}
    quotas = Counter({kind: int(share) for kind, share in shares.items()})
    by_remainder = sorted(shares, key=lambda kind: (int(shares[kind]) - shares[kind], distances[kind]))
    quotas.update(by_remainder[: wanted - quotas.total()])
    return quotas


def _unit_bytes(unit: list[list[Tensor]]) -> int:
    return sum(map(_layer_bytes, unit))


def _layer_bytes(layer: list[Tensor]) -> int:
    return sum(tensor.bytes for tensor in layer)


def _off(model: Sequence[list[Tensor]], kept: Sequence[list[Tensor]]) -> float:
    full = sum(map(_layer_bytes, model)) / len(model)
    return sum(map(_layer_bytes, kept)) / len(kept) / full - 1
