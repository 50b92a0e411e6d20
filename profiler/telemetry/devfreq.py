"""Clocks of GPU, NPU and memory on boards (devfreq)."""

from __future__ import annotations

from collections.abc import Mapping

from profiler.telemetry.protocol import Reader

STATE: Mapping[str, Reader] = {}
