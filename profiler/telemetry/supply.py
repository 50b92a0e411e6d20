"""Where the power comes from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from profiler.host.readings import power_source
from profiler.telemetry.protocol import Reader, Readings


def sources(root: Path) -> Readings:
    """ "mains" or "battery". Boards without a battery mostly do not tell: their USB supplies may be phantoms."""
    return {"source": power_source(root)}


STATE: Mapping[str, Reader] = {"power_source": sources}
