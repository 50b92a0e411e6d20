"""Clocks of GPU, NPU and memory on boards (devfreq)."""

from __future__ import annotations

from profiler.telemetry.protocol import Reader

STATE: dict[str, Reader] = {}
