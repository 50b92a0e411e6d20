"""Clocks as kernel files tell them, in kHz, MHz or Hz: here always in Hz."""

from __future__ import annotations

from pathlib import Path

from profiler.host.kernel_files import UnreadableError, number

KHZ, MHZ = 1_000, 1_000_000
HIGHEST_HZ = 100_000_000_000

OFF = "off"


def hertz(root: Path, name: str, unit_hz: int = 1) -> int:
    """The clock that a file holds in `unit_hz`. Raises `UnreadableError` for what is no clock, such as 0."""
    value = number(root, name) * unit_hz
    if not 0 < value <= HIGHEST_HZ:
        raise UnreadableError(f"{name}: tells no clock")
    return value


def hertz_or_off(root: Path, name: str, unit_hz: int = 1) -> int | str:
    """The same for a unit that its driver stops: 0 means that it is off."""
    return OFF if number(root, name) == 0 else hertz(root, name, unit_hz)
