"""How often, and whether now, the processor slows itself down (Intel's counters, cooling devices)."""

from __future__ import annotations

from collections.abc import Mapping

from profiler.telemetry.protocol import Reader

STATE: Mapping[str, Reader] = {}
