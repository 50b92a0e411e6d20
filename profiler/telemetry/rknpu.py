"""Load of a Rockchip NPU, which only root may read."""

from __future__ import annotations

from collections.abc import Mapping

from profiler.telemetry.protocol import Reader

STATE: Mapping[str, Reader] = {}
