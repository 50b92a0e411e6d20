"""What moves memory figures silently: huge pages, compressed swap."""

from __future__ import annotations

from profiler.telemetry.protocol import Reader

STATE: dict[str, Reader] = {}
