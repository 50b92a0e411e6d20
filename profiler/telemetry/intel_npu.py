"""Clock and load of an Intel NPU."""

from __future__ import annotations

from collections.abc import Mapping

from profiler.telemetry.protocol import Reader

STATE: Mapping[str, Reader] = {}
