"""Where the time of a case goes: its profile, by kinds of operations and by layers. Nothing here enters a figure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from profiler.analyse.estimate import Estimate
from profiler.analyse.profile_kinds import BETWEEN, KINDS, SAMPLING, UNEXPLAINED, kind_of
from profiler.analyse.roofline import at_ceilings
from profiler.runfile import Case, Ceiling, Device, Profile, ProfiledPart, ProfiledPhase

SPEEDS = {"prefill": ("prefill_tps", "pp_tps"), "decode": ("decode_tps", "tg_tps")}
MOST_SLOWER = 1.3
"""A profile's own unwatched passes may be so much slower than the measured ones: deeper tokens are not that far."""


class Spent(msgspec.Struct, frozen=True, kw_only=True):
    """What one kind of operation took, or one member of it: of a prompt, or of one token.

    `share` is that of the phase without the watch. `read_bytes_per_s` are weights, `operations_per_s` two for each
    multiply-add. `limit_share` is the time that the device would take at its ceilings over the time it took, and
    `limited_by` the ceiling that is met first: memory or compute. `memory_bytes` is the most that the engine had in use
    when one of them ended, where it tells.
    """

    kind: str
    member: str | None
    ms: float
    share: float
    read_bytes_per_s: float | None
    operations_per_s: float | None
    limit_share: float | None
    limited_by: str | None
    memory_bytes: int | None


class LayerSpent(msgspec.Struct, frozen=True, kw_only=True):
    """What one layer took, in all and by kind."""

    layer: int
    ms: float
    kinds: dict[str, float]


class PhaseProfile(msgspec.Struct, frozen=True, kw_only=True):
    """One phase, of a prompt of `tokens` or of one token: the mean of so many evaluations.

    `wall_ms` is with the watch, `plain_ms` without, `overhead` their ratio. `watch_ms` is what the watch took between
    operations, at most what it made the phase longer; shares are of the rest. `explained` is the share of that which is
    accounted for. `measured_ms` is what the rounds of the run measured of the same.
    """

    phase: str
    tokens: int
    evaluations: int
    wall_ms: float
    plain_ms: float
    measured_ms: float | None
    overhead: float | None
    watch_ms: float
    explained: float
    spent: list[Spent]
    layers: list[LayerSpent]


class RowProfile(msgspec.Struct, frozen=True, kw_only=True):
    """The profile of a row, or the reason why it has none. Its operations are held against `ceiling`."""

    phases: list[PhaseProfile]
    ceiling: Ceiling
    reason: str | None


def of_row(
    profiles: Sequence[Profile], device: Device, case: Case, measured: Mapping[str, Estimate]
) -> RowProfile | None:
    """The profile of this case, beside its figures; None where none was asked for."""
    found = next((one for one in profiles if one.case == case.id), None)
    if found is None:
        return None
    ceiling = device.ceilings.get(case.target, Ceiling())
    return RowProfile(
        phases=[_phase(phase, ceiling, measured) for phase in found.phases],
        ceiling=ceiling,
        reason=found.reason,
    )


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


def _phase(phase: ProfiledPhase, ceiling: Ceiling, measured: Mapping[str, Estimate]) -> PhaseProfile:
    per_ms, watch, without_watch = 1e6 * phase.evaluations, _watch_ns(phase), phase.wall_ns - _watch_ns(phase)
    unexplained = phase.graph_ns - phase.between_ns - sum(sum(part.ns) for part in phase.parts)
    beside = {
        BETWEEN: phase.between_ns - watch,
        SAMPLING: phase.wall_ns - phase.graph_ns,
        UNEXPLAINED: unexplained,
    }
    spent = [
        *(_spent(key, mine, phase, ceiling) for key, mine in _by_kind(phase.parts).items()),
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
        watch_ms=watch / per_ms,
        explained=1 - unexplained / without_watch if without_watch else 0.0,
        spent=sorted(spent, key=_place),
        layers=_layers(phase),
    )


def _watch_ns(phase: ProfiledPhase) -> int:
    """Between operations lie the watch and starting the next one: the watch has what made the phase longer."""
    return min(phase.between_ns, max(0, phase.wall_ns - phase.plain_ns))


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
    key: tuple[str, str | None], parts: Sequence[ProfiledPart], phase: ProfiledPhase, ceiling: Ceiling
) -> Spent:
    """Rates are those of the operations whose bytes or multiply-adds are known."""
    macs = _rate([(part.macs, sum(part.ns)) for part in parts])
    limit_share, limited_by = at_ceilings(parts, ceiling)
    return msgspec.structs.replace(
        _bare(key[0], sum(sum(part.ns) for part in parts), phase),
        member=key[1],
        read_bytes_per_s=_rate([(part.read_bytes, sum(part.ns)) for part in parts]),
        operations_per_s=None if macs is None else 2 * macs,
        limit_share=limit_share,
        limited_by=limited_by,
        memory_bytes=max(
            (part.memory_bytes for part in parts if part.memory_bytes is not None), default=None
        ),
    )


def _bare(kind: str, ns: int, phase: ProfiledPhase) -> Spent:
    without_watch = phase.wall_ns - _watch_ns(phase)
    return Spent(
        kind=kind,
        member=None,
        ms=ns / phase.evaluations / 1e6,
        share=ns / without_watch if without_watch else 0.0,
        read_bytes_per_s=None,
        operations_per_s=None,
        limit_share=None,
        limited_by=None,
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
