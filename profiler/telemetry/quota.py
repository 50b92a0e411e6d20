"""How long a CPU quota has held this process's control groups back (cpu.max)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from profiler.host.cgroup import cgroups_by_depth
from profiler.host.kernel_files import UnreadableError, read_text
from profiler.telemetry.protocol import Reader, Readings

MOST_NS = 2**63 - 1

_COUNTERS = (("v2", "throttled_usec", 1000), ("v1", "throttled_time", 1))
"""Version, key in cpu.stat, nanoseconds of its unit."""


def held_back(root: Path) -> Readings:
    """Nanoseconds by version and depth of the group ("v2 depth 3"), since each group was made.

    Groups have no other name here: theirs may be a user's.
    """
    found = dict(_held_back(root))
    if not found:
        raise UnreadableError("no control group of this process counts how long its CPUs were held back")
    return found


def _held_back(root: Path) -> Iterator[tuple[str, int]]:
    for depth, folder in cgroups_by_depth(root, "cpu"):
        try:
            text = read_text(root, f"{folder}/cpu.stat")
        except UnreadableError:
            continue
        for version, key, unit_ns in _COUNTERS:
            value = re.search(rf"^{key} (\d{{1,19}})$", text, re.MULTILINE | re.ASCII)
            if value and int(value[1]) * unit_ns <= MOST_NS:
                yield f"{version} depth {depth}", int(value[1]) * unit_ns


STATE: Mapping[str, Reader] = {"quota_throttled": held_back}
