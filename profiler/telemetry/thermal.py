"""Temperatures by the names of their zones and chips (thermal zones, hwmon).

Every sensor stays a part of its own: a network chip that reports 95 degrees says nothing of the processor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import chain
from pathlib import Path

from profiler.host.kernel_files import UnreadableError, entries, number, word_or_none
from profiler.host.readings import is_plausible
from profiler.telemetry.chips import inputs
from profiler.telemetry.parts import readable
from profiler.telemetry.protocol import Reader, Readings, Value

ZONES = "sys/class/thermal"


def temperatures(root: Path) -> Readings:
    """Degrees Celsius by zone type ("cpu-thermal"), or by chip and label ("coretemp Core 0", "nvme temp1").

    What no chip can have is left out: -256 of sensors that are not there, the 100 of a PMIC that has none.
    """
    zones = _zones(root)
    parts = chain(_of_zones(root, zones), _of_chips(root, {_as_chip(kind) for kind in zones.values()}))
    return readable(parts, none="temperature sensors: not offered here")


def _zones(root: Path) -> dict[str, str]:
    """Types of all zones, by folder."""
    folders = entries(root, ZONES, "thermal_zone*")
    return {zone: word_or_none(root, f"{zone}/type") or zone.rpartition("/")[2] for zone in folders}


def _as_chip(kind: str) -> str:
    """The kernel lists most zones once more as a chip, in whose name it allows no hyphen (thermal_hwmon)."""
    return kind.replace("-", "_")


def _of_zones(root: Path, zones: Mapping[str, str]) -> Iterator[tuple[str, Callable[[], Value]]]:
    for zone, kind in zones.items():
        yield kind, partial(_degrees, root, f"{zone}/temp", kind)


def _of_chips(root: Path, zones_again: set[str]) -> Iterator[tuple[str, Callable[[], Value]]]:
    for sensor in inputs(root, "temp"):
        if sensor.label or sensor.chip not in zones_again:
            yield sensor.name, partial(_chip_degrees, root, sensor.file, sensor.name)


def _chip_degrees(root: Path, file: str, name: str) -> float:
    if word_or_none(root, f"{file.removesuffix('_input')}_fault") == "1":
        raise UnreadableError(f"{file}: its sensor is reported as faulty")
    return _degrees(root, file, name)


def _degrees(root: Path, file: str, name: str) -> float:
    degrees = number(root, file) / 1000
    if not is_plausible(name, degrees):
        raise UnreadableError(f"{file}: no chip has {degrees:g} degrees")
    return degrees


STATE: Mapping[str, Reader] = {"temperature": temperatures}
