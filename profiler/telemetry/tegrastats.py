"""NVIDIA's tegrastats on Jetson boards: clocks, temperatures, and power where the sensors themselves are hidden."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from profiler.host.kernel_files import UnreadableError
from profiler.telemetry.protocol import Meter, Reader

STATE: Mapping[str, Reader] = {}


def meters(root: Path) -> Sequence[Meter]:
    """None yet."""
    raise UnreadableError(f"{root}: not read yet")
