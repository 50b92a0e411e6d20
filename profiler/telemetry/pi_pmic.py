"""The power chip of a Raspberry Pi 5: its rails, without what it cannot see."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from profiler.host.kernel_files import UnreadableError
from profiler.telemetry.protocol import Meter


def meters(root: Path) -> Sequence[Meter]:
    """None yet."""
    raise UnreadableError(f"{root}: not read yet")
