"""Cooling devices: what the kernel drives harder, or slows down, as it gets hot."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from profiler.host.kernel_files import UnreadableError, entries, number, word_or_none

HIGHEST_STEP = 1_000_000


def cooling_devices(root: Path) -> Iterator[tuple[str, str]]:
    """Type and folder of each: ("pwm-fan", "sys/class/thermal/cooling_device0")."""
    for folder in entries(root, "sys/class/thermal", "cooling_device*"):
        kind = word_or_none(root, f"{folder}/type")
        if kind:
            yield kind, folder


def driven(root: Path, folder: str) -> tuple[int, int]:
    """Its step now, and its highest one; step 0 is a device that does nothing.

    A step of -1 is the powerclamp's word for doing nothing (kernel documentation, intel_powerclamp).
    """
    step, highest = number(root, f"{folder}/cur_state"), number(root, f"{folder}/max_state")
    if not -1 <= step <= highest <= HIGHEST_STEP:
        raise UnreadableError(f"{folder}/cur_state: step {step} is none of 0 to {highest}")
    return max(step, 0), highest
