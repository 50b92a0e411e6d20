"""Temperatures by the names of their zones (thermal zones)."""

from __future__ import annotations

from profiler.telemetry.protocol import Reader

STATE: dict[str, Reader] = {}
