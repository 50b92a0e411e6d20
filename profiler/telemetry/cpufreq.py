"""The CPU's governor, and its clock as measured and as asked for (cpufreq)."""

from __future__ import annotations

from collections.abc import Mapping

from profiler.telemetry.protocol import Reader

STATE: Mapping[str, Reader] = {}
