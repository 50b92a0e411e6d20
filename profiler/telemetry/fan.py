"""Fans: speed, and how hard they are driven (hwmon, cooling devices)."""

from __future__ import annotations

from profiler.telemetry.protocol import Reader

STATE: dict[str, Reader] = {}
