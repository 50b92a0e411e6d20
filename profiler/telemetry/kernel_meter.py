"""A sensor that is one number in one kernel file."""

from __future__ import annotations

from pathlib import Path

from profiler.host.kernel_files import UnreadableError, number
from profiler.runfile import Sensor

MILLIONTHS = 1_000_000
"""The kernel gives energy in microjoules and power in microwatts (kernel ABI, powercap and hwmon)."""


class KernelMeter:
    """Reads `name` below `root` again and again."""

    def __init__(self, sensor: Sensor, root: Path, name: str) -> None:
        self.sensor = sensor
        self._root, self._name = root, name

    def read(self) -> float | None:
        """Joules so far or watts now; None where the file gives neither."""
        try:
            value = number(self._root, self._name)
        except UnreadableError:
            return None
        return value / MILLIONTHS if value >= 0 else None

    def close(self) -> None:
        """Nothing to free."""
