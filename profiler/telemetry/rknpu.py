"""Load of a Rockchip NPU, which only root may read."""

from __future__ import annotations

from profiler.telemetry.protocol import Reader

STATE: dict[str, Reader] = {}
