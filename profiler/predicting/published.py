"""Decode on a device without a calibration: its sourced figures, and what published results say of such devices.

The bandwidth is that of the device's profile; efficiency, overhead and how far to trust both are learned from results
that others published (`published_fit.py`). No NPU is predicted from its TOPS: only where results on the same NPU were
published, by the ratio of the bytes that are read. What the sources do not carry is said in a sentence.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import msgspec

from profiler.catalogue.devices import DeviceProfile, Fact
from profiler.predicting.prediction import Figure
from profiler.predicting.published_fit import LEVEL, Expected, expected, in_proportion, own_rows
from profiler.predicting.published_rows import Published, Target, group_of, published

FEWEST = 3
"""Fewer published results on an NPU say nothing of their spread."""

NO_PROMPTS = (
    "the sources do not carry the speed of prompts on a device without a calibration: the share of their peak compute "
    "that chips reach in published results differs by up to three times"
)


class Decode(msgspec.Struct, frozen=True, kw_only=True):
    """A predicted decode speed, and what it rests on in words for a reader."""

    tokens_per_s: Figure
    source: str


def decode_on(profile: DeviceProfile, target: Target, read_bytes: float) -> Decode | str:
    """The speed of a build that reads `read_bytes` for every token, KV cache included; or why none can be told."""
    if not (math.isfinite(read_bytes) and read_bytes > 0):
        return "how many bytes a token reads is not known, so no speed follows from the published results"
    if target == "npu":
        return _on_npu(profile, read_bytes)
    missing = _without_sources(profile, target)
    if missing:
        return missing
    bandwidth = bandwidth_of(profile, target)
    if isinstance(bandwidth, str):
        return bandwidth
    rows = tuple(row for row in published() if row.target != "npu")
    found = expected(rows, target, read_bytes, bandwidth.value, group_of(profile.id))
    return _told(found, _by_law(profile, target, bandwidth, found, read_bytes))


def bandwidth_of(profile: DeviceProfile, target: Target) -> Fact[float] | str:
    """The bandwidth of the memory that `target` reads: its own, or that of the device; or why there is none."""
    own = [one.memory_bytes_per_s for one in profile.accelerators.values() if one.kind == target]
    found = next((fact for fact in own if fact), profile.memory.theoretical_bytes_per_s)
    if found is None:
        reason = profile.absent.get("memory.theoretical_bytes_per_s", "its profile has none")
        return (
            f"the sources do not carry this: the memory bandwidth of {profile.name} is not known ({reason})"
        )
    if not (math.isfinite(found.value) and found.value > 0):
        return (
            f"the memory bandwidth of {profile.name} is {found.value:g} bytes/s: no speed follows from that"
        )
    return found


def _without_sources(profile: DeviceProfile, target: Target) -> str | None:
    """What speaks against a prediction for this target."""
    if target == "cpu":
        return None
    products = [
        one.product.value if one.product else "" for one in profile.accelerators.values() if one.kind == "gpu"
    ]
    if not products:
        return f"the profile of {profile.name} has no GPU"
    makers = sorted({row.gpu_maker for row in published() if row.gpu_maker})
    if any(maker in product.split() for maker in makers for product in products):
        return None
    named = f"{', '.join(makers[:-1])} and {makers[-1]}"
    return f"the sources do not carry this: published results on GPUs are of {named}, none like {products[0] or 'it'}"


def _on_npu(profile: DeviceProfile, read_bytes: float) -> Decode | str:
    group = group_of(profile.id)
    rows = [row for row in published() if row.target == "npu" and row.group == group]
    if len(rows) < FEWEST:
        return (
            f"the sources do not carry this: {len(rows) or 'no'} published results on the NPU of {profile.name} can be "
            f"compared, {FEWEST} are needed, and TOPS say nothing of decode"
        )
    own = own_rows(rows, "npu", read_bytes, group)
    if not own:
        least, most = (pick(row.read_bytes for row in rows) for pick in (min, max))
        return (
            f"the sources do not carry this: published results on the NPU of {profile.name} are of builds that read "
            f"{_gb(least)} to {_gb(most)} a token, not {_gb(read_bytes)}"
        )
    found = in_proportion(own, read_bytes)
    rate = _gb(read_bytes / found.seconds)
    return _told(
        found,
        f"bytes read, in proportion to {len(own)} published results on this NPU ({_engines(own)}; {rate}/s); the build "
        "would have to be one that this engine reads",
    )


def _by_law(
    profile: DeviceProfile, target: Target, bandwidth: Fact[float], found: Expected, read_bytes: float
) -> str:
    """Bandwidth and its source, the efficiency that follows, and what it was learned from."""
    ideal_s = read_bytes / bandwidth.value
    middle, low, high = (ideal_s / seconds for seconds in (found.seconds, found.slowest_s, found.fastest_s))
    rows = [row for row in published() if row.target == target]
    chips = len({row.group for row in rows})
    what = next((one.what for one in profile.sources if one.id == bandwidth.source), bandwidth.source)
    own = (
        f"{len(found.own)} of them on this chip ({_engines(found.own)})"
        if found.own
        else "none like it on this chip"
    )
    return (
        f"{_gb(bandwidth.value)}/s ({what}) x efficiency {middle:.2f} ({low:.2f} to {high:.2f}) of {len(rows)} "
        f"published {target.upper()} results on {chips} chips, {own}"
    )


def _told(found: Expected, source: str) -> Decode | str:
    times = (found.seconds, found.slowest_s, found.fastest_s)
    speeds = [1 / seconds if seconds else math.inf for seconds in times]
    if not all(math.isfinite(speed) and speed > 0 for speed in speeds):
        return "the sources do not carry this: it is beyond anything that was published"
    value, low, high = speeds
    return Decode(
        tokens_per_s=Figure(value=value, unit="tok/s", low=low, high=high, level=LEVEL), source=source
    )


def _engines(rows: Iterable[Published]) -> str:
    return ", ".join(sorted({row.engine for row in rows}))


def _gb(value: float) -> str:
    return f"{value / 1e9:.3g} GB" if value < 1e11 else f"{value / 1e9:.0f} GB"
