"""The power mode that was chosen: NVIDIA's nvpmodel, or the platform profile of laptops."""

from __future__ import annotations

from collections.abc import Mapping

from profiler.telemetry.protocol import Reader

STATE: Mapping[str, Reader] = {}
