"""What the firmware of a Raspberry Pi says: throttling, and the clock that it really set."""

from __future__ import annotations

from collections.abc import Mapping

from profiler.telemetry.protocol import Reader

STATE: Mapping[str, Reader] = {}
