"""The control groups of this process (v1 or v2), and what they still leave it of memory."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from profiler.host.kernel_files import UnreadableError, number, read_text

_FILES = (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes"))
"""Limit and usage, in v2 and in v1."""

MOST_GROUPS = 64


def memory_rooms(root: Path) -> Iterator[tuple[int, int]]:
    """Limit and what is left of it, in bytes, for each control group that limits this process's memory.

    Left is the limit less usage; cached file pages that are not in active use count as free.
    """
    for folder in cgroup_folders(root, "memory"):
        for limit_file, usage_file in _FILES:
            try:
                limit, usage = number(root, f"{folder}/{limit_file}"), number(root, f"{folder}/{usage_file}")
            except UnreadableError:
                continue
            yield limit, max(0, limit - max(0, usage - _inactive_file(root, folder)))


def _inactive_file(root: Path, folder: str) -> int:
    """Bytes of cached file pages not in active use, those of the groups below included."""
    try:
        found = re.findall(
            r"^(?:total_)?inactive_file (\d{1,19})$", read_text(root, f"{folder}/memory.stat"), re.M
        )
    except UnreadableError:
        return 0
    return max(map(int, found), default=0)


def cgroup_folders(root: Path, controller: str) -> Iterator[str]:
    """The control groups of this process that `controller` can limit, and all above them.

    Inside a container the path may be the host's and missing here: then the mount itself is the group.
    """
    return (folder for _depth, folder in cgroups_by_depth(root, controller))


def cgroups_by_depth(root: Path, controller: str) -> Iterator[tuple[int, str]]:
    """The same with the depth of each group, the deepest first; the mount itself has depth 0."""
    try:
        lines = read_text(root, "proc/self/cgroup").splitlines()[:MOST_GROUPS]
    except UnreadableError:
        return
    for _, controllers, path in (line.split(":", 2) for line in lines if line.count(":") > 1):
        parts = [part for part in path.split("/") if part not in ("", ".", "..")][:MOST_GROUPS]
        for mount in _mounts(controllers, controller):
            for depth in range(len(parts), -1, -1):
                yield depth, "/".join([mount, *parts[:depth]])


def _mounts(controllers: str, wanted: str) -> list[str]:
    """Where the groups of a line are mounted: v2 names no controllers, v1 has a folder of their names.

    Some kernels name the controllers of a line in another order than the folder; each then has a link too.
    """
    if not controllers:
        return ["sys/fs/cgroup", "sys/fs/cgroup/unified"]
    if wanted not in controllers.split(","):
        return []
    return list(dict.fromkeys((f"sys/fs/cgroup/{controllers}", f"sys/fs/cgroup/{wanted}")))
