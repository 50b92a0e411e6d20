"""Fans: speed, and how hard they are driven (hwmon, cooling devices)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import chain
from pathlib import Path

from profiler.host.kernel_files import UnreadableError, number
from profiler.telemetry.chips import inputs
from profiler.telemetry.cooling import cooling_devices, driven
from profiler.telemetry.parts import readable
from profiler.telemetry.protocol import Reader, Readings, Value

FASTEST_RPM = 60_000
"""Chips report 65535 for a speed that they do not know."""


def fans(root: Path) -> Readings:
    """Turns per minute by chip and label ("pwmfan fan1"), and steps of the fans that cool ("pwm-fan": "2 of 4").

    A fan that stands still has 0 turns.
    """
    return readable(chain(_speeds(root), _steps(root)), none="fans: not offered here")


def _speeds(root: Path) -> Iterator[tuple[str, Callable[[], Value]]]:
    for sensor in inputs(root, "fan"):
        yield sensor.name, partial(_rpm, root, sensor.file)


def _steps(root: Path) -> Iterator[tuple[str, Callable[[], Value]]]:
    for kind, folder in cooling_devices(root):
        if "fan" in kind.lower():
            yield kind, partial(_driven_in_words, root, folder)


def _rpm(root: Path, file: str) -> int:
    rpm = number(root, file)
    if not 0 <= rpm <= FASTEST_RPM:
        raise UnreadableError(f"{file}: no fan turns {rpm} times a minute")
    return rpm


def _driven_in_words(root: Path, folder: str) -> str:
    step, highest = driven(root, folder)
    return f"{step} of {highest}"


STATE: Mapping[str, Reader] = {"fan": fans}
