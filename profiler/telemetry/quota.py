"""How long a CPU quota has held this process's control groups back (cpu.max)."""

from __future__ import annotations

from collections.abc import Mapping

from profiler.telemetry.protocol import Reader

STATE: Mapping[str, Reader] = {}
