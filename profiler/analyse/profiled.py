"""Where the time of a case goes: its profile, by kinds of operations and by layers. Nothing here enters a figure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from profiler.analyse.bandwidth import read_bytes
from profiler.analyse.estimate import Estimate
from profiler.analyse.profile_kinds import KINDS, SAMPLING, UNEXPLAINED, kind_of
from profiler.runfile import Build, Case, Device, Predicted, Profile, ProfiledPart, ProfiledPhase

SPEEDS = {"prefill": ("prefill_tps", "pp_tps"), "decode": ("decode_tps", "tg_tps")}
MOST_SLOWER = 1.3
"""A profile's own unwatched passes may be so much slower than the measured ones: deeper tokens are not that far."""

MEASURED_BY = "measured by the calibration"


class Spent(msgspec.Struct, frozen=True, kw_only=True):
    """What one kind of operation took, or one member of it: of a prompt, or of one token.

    `share` is that of the phase without the watch. Bytes are of weights; `bandwidth_share` is what they reach of the
    bandwidth, `operations_per_s` two for each multiply-add. `memory_bytes` is the most that the engine had in use when
    one of them ended, where it tells.
    """

    kind: str
    member: str | None
    ms: float
    share: float
    read_bytes_per_s: float | None
    bandwidth_share: float | None
    operations_per_s: float | None
    memory_bytes: int | None


class LayerSpent(msgspec.Struct, frozen=True, kw_only=True):
    """What one layer took, in all and by kind."""

    layer: int
    ms: float
    kinds: dict[str, float]


class PhaseProfile(msgspec.Struct, frozen=True, kw_only=True):
    """One phase, of a prompt of `tokens` or of one token: the mean of so many evaluations.

    `wall_ms` is with the watch, `plain_ms` without, `overhead` their ratio, and `between_ms` what passed between
    operations, the watch itself in the first place. `explained` is the share of the rest that is accounted for.
    `measured_ms` is what the rounds of the run measured of the same.
    """

    phase: str
    tokens: int
    evaluations: int
    wall_ms: float
    plain_ms: float
    measured_ms: float | None
    overhead: float | None
    between_ms: float
    explained: float
    spent: list[Spent]
    layers: list[LayerSpent]


class RowProfile(msgspec.Struct, frozen=True, kw_only=True):
    """The profile of a row, or the reason why it has none. The bandwidth is the one that shares are of."""

    phases: list[PhaseProfile]
    bandwidth_bytes_per_s: float | None
    bandwidth_source: str | None
    reason: str | None


class Limit(msgspec.Struct, frozen=True):
    """A bandwidth in bytes per second, and where it comes from; None where it is not known."""

    bytes_per_s: float | None
    source: str | None


def of_row(
    profiles: Sequence[Profile],
    predictions: Sequence[Predicted],
    device: Device,
    build: Build,
    case: Case,
    measured: Mapping[str, Estimate],
) -> RowProfile | None:
    """The profile of this case, beside its figures; None where none was asked for."""
    found = next((one for one in profiles if one.case == case.id), None)
    if found is None:
        return None
    limit = _limit(predictions, device, build, case)
    return RowProfile(
        phases=[_phase(phase, limit.bytes_per_s, measured) for phase in found.phases],
        bandwidth_bytes_per_s=limit.bytes_per_s,
        bandwidth_source=limit.source,
        reason=found.reason,
    )


def _limit(predictions: Sequence[Predicted], device: Device, build: Build, case: Case) -> Limit:
    """The calibration's bandwidth, behind the speed limit that it told of this case; else the profile's."""
    limit_tps = next((one.limit_tps for one in predictions if one.case == case.id), None)
    read = read_bytes(build, case).value
    if limit_tps is not None and read is not None:
        return Limit(limit_tps * read, MEASURED_BY)
    return Limit(device.memory_bandwidth_bytes_per_s, device.bandwidth_source)


def _measured_ms(phase: ProfiledPhase, measured: Mapping[str, Estimate]) -> float | None:
    """So many tokens at the speed that the rounds measured."""
    known = (measured[name].value for name in SPEEDS[phase.phase] if name in measured)
    speed = next((value for value in known if value), None)
    return None if speed is None else 1000 * phase.tokens / speed


def disturbed(found: RowProfile) -> PhaseProfile | None:
    """A phase that was far slower in the profile than in the rounds, although nothing watched it."""
    slower = (
        p for p in found.phases if p.measured_ms is not None and p.plain_ms > MOST_SLOWER * p.measured_ms
    )
    return next(slower, None)


def _phase(phase: ProfiledPhase, bandwidth: float | None, measured: Mapping[str, Estimate]) -> PhaseProfile:
    per_ms, without_watch = 1e6 * phase.evaluations, phase.wall_ns - phase.between_ns
    unexplained = phase.graph_ns - phase.between_ns - sum(sum(part.ns) for part in phase.parts)
    beside = {SAMPLING: phase.wall_ns - phase.graph_ns, UNEXPLAINED: unexplained}
    spent = [
        *(_spent(key, mine, phase, bandwidth) for key, mine in _by_kind(phase.parts).items()),
        *(_bare(kind, ns, phase) for kind, ns in beside.items()),
    ]
    return PhaseProfile(
        phase=phase.phase,
        tokens=phase.tokens,
        evaluations=phase.evaluations,
        wall_ms=phase.wall_ns / per_ms,
        plain_ms=phase.plain_ns / per_ms,
        measured_ms=_measured_ms(phase, measured),
        overhead=phase.wall_ns / phase.plain_ns if phase.plain_ns else None,
        between_ms=phase.between_ns / per_ms,
        explained=1 - unexplained / without_watch if without_watch else 0.0,
        spent=sorted(spent, key=_place),
        layers=_layers(phase),
    )


def _place(one: Spent) -> tuple[int, bool, float]:
    """Kinds in their order, each before its members, the longest of those first."""
    return KINDS.index(one.kind), one.member is not None, -one.ms


def _by_kind(parts: Iterable[ProfiledPart]) -> dict[tuple[str, str | None], list[ProfiledPart]]:
    """The parts of each kind as a whole, and of each of its members."""
    found: dict[tuple[str, str | None], list[ProfiledPart]] = {}
    for part in parts:
        kind, member = kind_of(part.op, part.part)
        for key in dict.fromkeys([(kind, None), (kind, member)]):
            found.setdefault(key, []).append(part)
    return found


def _spent(
    key: tuple[str, str | None], parts: Sequence[ProfiledPart], phase: ProfiledPhase, bandwidth: float | None
) -> Spent:
    """Rates are those of the operations whose bytes or multiply-adds are known."""
    read = _rate([(part.read_bytes, sum(part.ns)) for part in parts])
    macs = _rate([(part.macs, sum(part.ns)) for part in parts])
    bare = _bare(key[0], sum(sum(part.ns) for part in parts), phase)
    return msgspec.structs.replace(
        bare,
        member=key[1],
        read_bytes_per_s=read,
        bandwidth_share=read / bandwidth if read is not None and bandwidth else None,
        operations_per_s=None if macs is None else 2 * macs,
        memory_bytes=max(
            (part.memory_bytes for part in parts if part.memory_bytes is not None), default=None
        ),
    )


def _bare(kind: str, ns: int, phase: ProfiledPhase) -> Spent:
    without_watch = phase.wall_ns - phase.between_ns
    return Spent(
        kind=kind,
        member=None,
        ms=ns / phase.evaluations / 1e6,
        share=ns / without_watch if without_watch else 0.0,
        read_bytes_per_s=None,
        bandwidth_share=None,
        operations_per_s=None,
        memory_bytes=None,
    )


def _rate(amounts: Iterable[tuple[int | None, int]]) -> float | None:
    """Per second, over the time of what has an amount."""
    known = [(amount, ns) for amount, ns in amounts if amount is not None]
    ns = sum(ns for _, ns in known)
    return 1e9 * sum(amount for amount, _ in known) / ns if ns else None


def _layers(phase: ProfiledPhase) -> list[LayerSpent]:
    by_layer: dict[int, dict[str, float]] = {}
    for part in phase.parts:
        kind, _ = kind_of(part.op, part.part)
        for layer, ns in zip(part.layers, part.ns, strict=True):
            if layer is not None:
                kinds = by_layer.setdefault(layer, {})
                kinds[kind] = kinds.get(kind, 0.0) + ns / phase.evaluations / 1e6
    return [
        LayerSpent(layer=layer, ms=sum(kinds.values()), kinds=kinds)
        for layer, kinds in sorted(by_layer.items())
    ]
