"""How often, and whether now, the processor is slowed down (Intel's counters, cooling devices, Orin's over-current)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import chain
from pathlib import Path

from profiler.host.kernel_files import UnreadableError, entries, is_there, number, word_or_none
from profiler.host.readings import CPU
from profiler.telemetry.chips import HWMON
from profiler.telemetry.cooling import cooling_devices, driven
from profiler.telemetry.parts import readable
from profiler.telemetry.protocol import Reader, Readings, Value

NOT_COUNTED = "counters of throttling: not offered here"

_SLOWS_THE_CPU = re.compile(r"cpufreq|cpu-throttle|thermal-idle|powerclamp|^processor$")

_OVER_CURRENT = {
    "oc1": "under-voltage",
    "oc2": "average over-current",
    "oc3": "instantaneous over-current",
}
"""What the counters of the chip soctherm_oc stand for (Jetson Linux Developer Guide, Orin)."""


def throttle_counts(root: Path) -> Readings:
    """How often since start-up: of all cores together, of each package, of each cooling device that slows the CPU down
    (every change of its step counts), of each kind of over-current."""
    return readable(chain(_intel(root), _transitions(root), _over_current(root)), none=NOT_COUNTED)


def throttled_since_boot(root: Path) -> Readings:
    """The same in words: "no", or "3 times"."""
    counts = throttle_counts(root)
    return {part: f"{count} times" if count else "no" for part, count in counts.items()}


def throttled_now(root: Path) -> Readings:
    """By kind of cooling device that slows the CPU down: "no", or the hardest step of these devices, "2 of 5"."""
    parts = ((kind, partial(_hardest, root, alike)) for kind, alike in _slowing(root).items())
    return readable(parts, none="cooling devices of the processor: not offered here")


def _slowing(root: Path) -> dict[str, list[str]]:
    """The cooling devices that slow the CPU down, by kind: ACPI has one called Processor for each CPU."""
    found: dict[str, list[str]] = {}
    for kind, folder in cooling_devices(root):
        if _SLOWS_THE_CPU.search(kind.lower()):
            found.setdefault(kind, []).append(folder)
    return found


def _hardest(root: Path, folders: list[str]) -> str:
    step, highest = max(driven(root, folder) for folder in folders)
    return f"{step} of {highest}" if step else "no"


def _intel(root: Path) -> Iterator[tuple[str, Callable[[], Value]]]:
    """Each thread counts for its core; all CPUs of a package show the same counter."""
    cpus = entries(root, CPU, "cpu[0-9]*")
    counting = [cpu for cpu in cpus if is_there(root, f"{cpu}/thermal_throttle")]
    packages: dict[str, list[str]] = {}
    for cpu in counting:
        package = word_or_none(root, f"{cpu}/topology/physical_package_id") or "0"
        packages.setdefault(f"package {package}", []).append(f"{cpu}/thermal_throttle/package_throttle_count")
    if counting:
        cores = [f"{cpu}/thermal_throttle/core_throttle_count" for cpu in counting]
        yield "cores", partial(_sum, root, cores)
    for name, files in packages.items():
        yield name, partial(_highest, root, files)


def _transitions(root: Path) -> Iterator[tuple[str, Callable[[], Value]]]:
    for kind, folders in _slowing(root).items():
        yield kind, partial(_sum, root, [f"{folder}/stats/total_trans" for folder in folders])


def _over_current(root: Path) -> Iterator[tuple[str, Callable[[], Value]]]:
    for chip in entries(root, HWMON, "hwmon*"):
        if word_or_none(root, f"{chip}/name") == "soctherm_oc":
            for own, meaning in _OVER_CURRENT.items():
                yield meaning, partial(_counter, root, f"{chip}/{own}_event_cnt")


def _sum(root: Path, names: list[str]) -> int:
    return sum(_counter(root, name) for name in names)


def _highest(root: Path, names: list[str]) -> int:
    return max(_counter(root, name) for name in names)


def _counter(root: Path, name: str) -> int:
    value = number(root, name)
    if value < 0:
        raise UnreadableError(f"{name}: not a count")
    return value


STATE: Mapping[str, Reader] = {
    "throttle_count": throttle_counts,
    "throttled_since_boot": throttled_since_boot,
    "throttled_now": throttled_now,
}
