"""The smallest device of the catalogue whose memory a build would fit: memory alone, and nothing about speed.

What a row took here is held against the memory of other devices. Another kernel, engine build or page size takes a
little more or less, so a share of each device is kept free.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from profiler.analyse.estimate import Estimate
from profiler.analyse.extrapolated import BASIS, PLANNED
from profiler.analyse.known import KnownDevice
from profiler.analyse.of_models import Member
from profiler.analyse.report import Row

SYSTEM_SHARE = 0.25
"""Of a device's memory, kept for its system and for what differs there."""

PSS, RSS = ("pss_bytes", "PSS"), ("peak_rss_bytes", "peak RSS")
"""What a process took. PSS is the better figure, since RSS counts pages that are shared with others in full, but for
a build whose file others had mapped as well: a part of it is in their PSS."""

PLANNED_PARTS = ("weights_bytes", "kv_bytes", "compute_reserved_bytes")
PLANNED_LABEL = "planned by its engine"


class Fit(msgspec.Struct, frozen=True, kw_only=True):
    """Devices of one size, the smallest that would do; or `reason`, why none is named.

    `context` is the one that the engine made, in tokens. `room_bytes` is the memory of the device without the share
    that is kept for its system. `metric` names the figure that `memory_bytes` is.
    """

    quantization: str | None
    context: int | None
    engine: str
    memory_bytes: float | None
    metric: str | None
    devices: list[KnownDevice]
    room_bytes: float | None
    basis: str
    source: str
    row: str
    reason: str | None = None


def memory_of(row: Row) -> tuple[str, Estimate] | None:
    """The name and the figure of what the process of a row took, or is planned to take; None where it is not known."""
    if row.basis == BASIS:
        return _planned(row)
    divided = any(notice.code == "shared_file" for notice in row.notices)
    named = [(label, row.metrics.get(metric)) for metric, label in ((RSS,) if divided else (PSS, RSS))]
    return next(
        ((label, figure) for label, figure in named if figure is not None and figure.value is not None), None
    )


def _planned(row: Row) -> tuple[str, Estimate] | None:
    """The parts that the engine planned for a model that was not loaded; None where one of them is not known."""
    figures = [row.metrics.get(name) for name in PLANNED_PARTS]
    known = [figure.value for figure in figures if figure is not None and figure.value is not None]
    if len(known) < len(PLANNED_PARTS):
        return None
    return PLANNED_LABEL, Estimate(value=sum(known), unit="B", reason=PLANNED)


def fits(members: Sequence[Member], devices: Sequence[KnownDevice]) -> list[Fit]:
    """One for each quantization and context of a model, of the row that takes least; the smallest first."""
    best: dict[tuple[str | None, int | None], Fit] = {}
    for found in (fit(member, devices) for member in members if member.row.metrics):
        key = (found.quantization, found.context)
        if key not in best or _rank(found) < _rank(best[key]):
            best[key] = found
    return sorted(best.values(), key=_rank)


def _rank(found: Fit) -> tuple[bool, float]:
    return found.memory_bytes is None or found.reason is not None, found.memory_bytes or 0


def fit(member: Member, devices: Sequence[KnownDevice]) -> Fit:
    """What would hold this row."""
    row, known = member.row, memory_of(member.row)
    context = row.conditions.get("context")
    needed = known[1].value if known else None
    reason = _unknown(row, needed)
    smallest = [] if reason or needed is None else _smallest(needed, devices)
    if not smallest and reason is None:
        reason = "no device of the catalogue has so much memory free, of those whose memory is known"
    return Fit(
        quantization=row.quantization,
        context=context if isinstance(context, int) else None,
        engine=row.engine,
        memory_bytes=needed,
        metric=known[0] if known else None,
        devices=smallest,
        room_bytes=_room(smallest[0]) if smallest else None,
        basis="extrapolated",
        source=member.source.name,
        row=row.id,
        reason=reason,
    )


def _unknown(row: Row, needed: float | None) -> str | None:
    held = row.metrics.get("device_bytes")
    if needed is None:
        return "its memory is not known"
    if row.target != "cpu" or (held is not None and held.value):
        return "a part of it lies in an accelerator's memory, which other devices have in other ways"
    if any(notice.code == "paging" for notice in row.notices):
        return "it did not stay in memory where it was measured, so what it takes is not known"
    return None


def _room(device: KnownDevice) -> float:
    return device.memory_bytes * (1 - SYSTEM_SHARE)


def _smallest(needed: float, devices: Sequence[KnownDevice]) -> list[KnownDevice]:
    """All devices of the smallest size that has room, by id."""
    sizes = [device.memory_bytes for device in devices if _room(device) >= needed]
    same = [device for device in devices if sizes and device.memory_bytes == min(sizes)]
    return sorted(same, key=lambda device: device.id)
