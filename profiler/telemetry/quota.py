"""How long a CPU quota has held this process's control groups back (cpu.max)."""

from __future__ import annotations

from profiler.telemetry.protocol import Reader

STATE: dict[str, Reader] = {}
