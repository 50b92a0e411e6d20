"""A power sensor that a function reads."""

from __future__ import annotations

from collections.abc import Callable

from profiler.host.kernel_files import UnreadableError
from profiler.runfile import Sensor

MOST_WATTS = 100_000.0
"""No device that this program runs on takes more: such a reading is a mistake."""


def _nothing_to_free() -> None:
    pass


class Gauge:
    """A meter of power now. `watts` raises `UnreadableError` where a reading fails; `free` may be called twice."""

    def __init__(
        self, sensor: Sensor, watts: Callable[[], float], free: Callable[[], None] = _nothing_to_free
    ) -> None:
        self.sensor = sensor
        self._watts, self._free = watts, free

    def read(self) -> float | None:
        """Watts, or None if this reading failed."""
        try:
            watts = self._watts()
        except UnreadableError:
            return None
        return watts if abs(watts) <= MOST_WATTS else None

    def close(self) -> None:
        """Free what it was read with."""
        self._free()
