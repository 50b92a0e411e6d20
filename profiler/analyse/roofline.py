"""Operations against the ceilings of a device: how long it would take for them at least, by memory and by compute.

The model is that of Williams, Waterman and Patterson, "Roofline: an insightful visual performance model" (2009).
"""

from __future__ import annotations

from collections.abc import Iterable

from profiler.runfile import Ceiling, ProfiledPart

MEMORY, COMPUTE = "memory", "compute"
FEW_MACS = 4
"""Multiply-adds for each byte that one token does with weights of two bits: memory limits that everywhere."""


def at_ceilings(parts: Iterable[ProfiledPart], ceiling: Ceiling) -> tuple[float | None, str | None]:
    """The time at the ceilings over the time taken, and the ceiling that most of that is at.

    Parts whose amounts are not known are left out of both times. None where no part and no ceiling is known.
    """
    least, taken = {MEMORY: 0.0, COMPUTE: 0.0}, 0
    for part in parts:
        found = _least_s(part, ceiling)
        if found:
            by = max(found, key=lambda name: found[name])
            least[by] += found[by]
            taken += sum(part.ns)
    if not taken:
        return None, None
    return 1e9 * sum(least.values()) / taken, max(least, key=lambda name: least[name])


def _least_s(part: ProfiledPart, ceiling: Ceiling) -> dict[str, float]:
    """Seconds at each ceiling; nothing where one that this part needs is not known."""
    if part.moved_bytes is None or ceiling.bytes_per_s is None:
        return {}
    memory = {MEMORY: part.moved_bytes / ceiling.bytes_per_s}
    if not part.macs:
        return memory
    if ceiling.macs_per_s is None:
        return memory if part.macs <= FEW_MACS * part.moved_bytes else {}
    return memory | {COMPUTE: part.macs / ceiling.macs_per_s}
