"""Temperatures by the names of their zones (thermal zones)."""

from __future__ import annotations

from collections.abc import Mapping

from profiler.telemetry.protocol import Reader

STATE: Mapping[str, Reader] = {}
