"""The CPU's governor, and its clock as measured and as asked for (cpufreq)."""

from __future__ import annotations

from profiler.telemetry.protocol import Reader

STATE: dict[str, Reader] = {}
