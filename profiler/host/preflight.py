"""A look at this machine before measuring: what can be measured, what would disturb it, what to type."""

from __future__ import annotations

from pathlib import Path

from profiler.host.capabilities import capabilities
from profiler.host.counters import BusyNow, busy_now
from profiler.host.disturbances import disturbances, notes
from profiler.host.environment import Environment, environment
from profiler.host.finding import Finding
from profiler.host.installed import engines

__all__ = ["Finding", "findings"]


def findings(
    root: Path = Path("/"), here: Environment | None = None, busy: BusyNow | None = None
) -> list[Finding]:
    """All findings. Watches the CPU for 0.7 s unless `busy` is given. They name no process and no path."""
    here = here or environment(root)
    busy = busy or busy_now(root)
    return [*capabilities(root, here), *disturbances(here, busy), *notes(here), *engines()]
