"""What a source of telemetry offers: readings of the board's state, meters of power or energy, or both."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from profiler.runfile import Sensor

Value = int | float | str
"""A number in the unit of its topic, or a word."""

Readings = Mapping[str, Value]
"""The parts of one topic: such as {"policy0": 1500000000, "policy4": 2400000000} for the clock of the CPU."""

Reader = Callable[[Path], Readings]
"""Reads one topic below a root. Raises `host.kernel_files.UnreadableError` with the reason if it says nothing."""

TOPICS: Mapping[str, str] = {
    "governor": "",
    "cpu_clock": "Hz",
    "cpu_clock_asked": "Hz",
    "gpu_clock": "Hz",
    "gpu_clock_asked": "Hz",
    "npu_clock": "Hz",
    "npu_clock_asked": "Hz",
    "dram_clock": "Hz",
    "gpu_load": "",
    "npu_load": "",
    "power_mode": "",
    "throttled_now": "",
    "throttled_since_boot": "",
    "throttle_count": "",
    "temperature": "C",
    "fan": "rpm",
    "power_source": "",
    "huge_pages": "",
    "zram": "bytes",
    "quota_throttled": "ns",
}
"""What is asked of every board, and the unit of its numbers.

A clock is the measured one, as near as this system can tell; `..._asked` is what the governor or the mode asks for.
A clock that stands still is the word "off". Loads are shares from 0 to 1. `throttled_...` are words such as
"under-voltage" or "no"; `throttle_count` and `quota_throttled` only ever grow, so that what happened during a worker
is a difference.
"""


class StateSource(Protocol):
    """A module that reads topics: `STATE` has a reader for each one it knows."""

    STATE: Mapping[str, Reader]


class Meter(Protocol):
    """One sensor of power or energy, ready to be read again and again."""

    sensor: Sensor

    def read(self) -> float | None:
        """Joules so far for an energy counter, watts now for a power gauge; None if this reading failed."""

    def close(self) -> None:
        """Free what the sensor needed, such as a program that prints it."""


class MeterSource(Protocol):
    """A module that finds meters."""

    def meters(self, root: Path) -> Sequence[Meter]:
        """The meters below this root. Raises `host.kernel_files.UnreadableError` with the reason if there is none."""
