"""What a device can do at most, for each of its targets, by the figures of its profile: its roofline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from profiler.catalogue.devices import DeviceProfile, Fact, Peak, Precision
from profiler.runfile import Ceiling

Peaks = Mapping[Precision, Peak]


def ceilings(profile: DeviceProfile) -> dict[str, Ceiling]:
    """Those of the CPU and of each accelerator, by its name and by its kind where there is one of them.

    Targets of which nothing is known are not there.
    """
    memory, accelerators = profile.memory.theoretical_bytes_per_s, profile.accelerators
    found = {"cpu": _ceiling(memory, [cluster.peaks for cluster in profile.cpu])}
    kinds = Counter(one.kind for one in accelerators.values())
    for name, one in accelerators.items():
        own = _ceiling(one.memory_bytes_per_s or memory, [one.peaks])
        found |= {target: own for target in (name, one.kind) if target == name or kinds[one.kind] == 1}
    return {target: one for target, one in found.items() if one != Ceiling()}


def _ceiling(memory: Fact[float] | None, parts: Iterable[Peaks]) -> Ceiling:
    macs, source = _fastest([part for part in parts if part])
    return Ceiling(
        bytes_per_s=memory.value if memory else None,
        bytes_source=f"theoretical, {memory.source}" if memory else None,
        macs_per_s=macs,
        macs_source=source,
    )


def _fastest(parts: list[Peaks]) -> tuple[float | None, str | None]:
    """Multiply-adds per second at the precision with the most, of all clusters together that tell it."""
    by_precision: dict[Precision, list[Fact[float]]] = {}
    for part in parts:
        for precision, peak in part.items():
            if peak.dense_gops is not None:
                by_precision.setdefault(precision, []).append(peak.dense_gops)
    sums = {name: sum(fact.value for fact in facts) for name, facts in by_precision.items()}
    if not sums:
        return None, None
    best = max(sums, key=lambda name: sums[name])
    sources = ", ".join(dict.fromkeys(fact.source for fact in by_precision[best]))
    return sums[best] * 1e9 / 2, f"peak in {best}, {sources}"
