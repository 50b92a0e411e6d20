"""Energy counters of x86 processors (RAPL), of Intel and of AMD.

Their domains lie inside each other: the platform (psys) holds the packages, a package its cores and graphics.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from profiler.host.kernel_files import UnreadableError, entries, number, word, word_or_none
from profiler.runfile import Sensor
from profiler.telemetry.kernel_meter import MILLIONTHS, KernelMeter
from profiler.telemetry.protocol import Meter

POWERCAP = "sys/class/powercap"
ZONES = ("intel-rapl:*", "intel-rapl-mmio:*")
"""The same counters by two ways, through registers and through memory: the first that tells a domain counts."""

WHOLE = {"board": re.compile(r"psys(-\d+)?"), "package": re.compile(r"package-\d+(-die-\d+)?")}
"""By scope: the names of domains that add up. Of several sockets each can have a platform (kernel, intel_rapl)."""

PERIOD_S = 0.001
"""Between two updates of a counter (Intel 64 and IA-32 Architectures Software Developer's Manual, RAPL interfaces)."""

ROOT_ONLY = (
    "only root may read the energy counters, since CVE-2020-8694: start edgeprof with sudo, "
    "or type: sudo chmod a+r /sys/class/powercap/*/energy_uj"
)


class _Zone(msgspec.Struct, frozen=True):
    """One domain: its folder, its name within the machine, and what it covers."""

    folder: str
    name: str
    scope: str

    @property
    def counter(self) -> str:
        return f"{self.folder}/energy_uj"


def meters(root: Path) -> Sequence[Meter]:
    """The platform, every package, and their parts. Raises `UnreadableError` where none can be read."""
    zones = _zones(root)
    refused = {zone: reason for zone in zones if (reason := _refusal(root, zone))}
    incomplete = {zone.scope for zone in refused} - {"part"}
    found = [_meter(root, zone) for zone in zones if zone not in refused and zone.scope not in incomplete]
    if not found:
        raise UnreadableError(next(iter(refused.values())))
    return found


def _zones(root: Path) -> list[_Zone]:
    found: dict[str, _Zone] = {}
    for folder in (folder for pattern in ZONES for folder in entries(root, POWERCAP, pattern)):
        with suppress(UnreadableError):
            zone = _zone(root, folder)
            found.setdefault(zone.name, zone)
    if not found:
        raise UnreadableError("RAPL domains: not offered here")
    return list(found.values())


def _zone(root: Path, folder: str) -> _Zone:
    """A domain within another one is named after both: "package-0 core"."""
    name = word(root, f"{folder}/name")
    parent, _, inner = folder.rpartition(":")
    if ":" in parent and inner:
        return _Zone(folder, f"{word_or_none(root, f'{parent}/name') or parent} {name}", "part")
    return _Zone(
        folder, name, next((scope for scope, names in WHOLE.items() if names.fullmatch(name)), "part")
    )


def _refusal(root: Path, zone: _Zone) -> str | None:
    """Why this counter is none."""
    try:
        value = number(root, zone.counter)
    except UnreadableError as reason:
        return f"{reason}: {ROOT_ONLY}" if str(reason).endswith("needs more rights") else str(reason)
    return None if value > 0 else f"{zone.counter}: reads nothing"


def _meter(root: Path, zone: _Zone) -> KernelMeter:
    wraps = None
    with suppress(UnreadableError):
        wraps = number(root, f"{zone.folder}/max_energy_range_uj") / MILLIONTHS
    sensor = Sensor(
        id=f"rapl {zone.name}",
        source="rapl",
        name=f"platform energy ({zone.name})" if zone.scope == "board" else zone.name,
        scope=zone.scope,
        quantity="energy",
        wraps_at_j=wraps if wraps and wraps > 0 else None,
        period_s=PERIOD_S,
    )
    return KernelMeter(sensor, root, zone.counter)
