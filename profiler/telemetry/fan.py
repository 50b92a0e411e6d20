"""Fans: speed, and how hard they are driven (hwmon, cooling devices)."""

from __future__ import annotations

from collections.abc import Mapping

from profiler.telemetry.protocol import Reader

STATE: Mapping[str, Reader] = {}
