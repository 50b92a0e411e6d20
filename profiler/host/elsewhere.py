"""The machine by macOS or Windows: of this system, or of a captured one."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from profiler.host import macos, windows
from profiler.host.kernel_files import HERE, UnreadableError
from profiler.host.programs import output
from profiler.host.told import Told


def told(root: Path = HERE) -> Told | None:
    """What macOS or Windows tells; None on Linux, and where neither tells anything. Never fails."""
    with suppress(UnreadableError):
        return macos.told_by(output(root, macos.SYSCTL))
    with suppress(UnreadableError):
        return windows.told_by(windows.text(root))
    return None
