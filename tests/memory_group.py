"""A memory control group (v1 or v2) with a limit, in which a command is started, or why there can be none here."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

OLD, NEW = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")


class MemoryGroup:
    """One group. `line` is what /proc/self/cgroup says of its processes."""

    def __init__(self, folder: Path, old: bool) -> None:
        self._folder = folder
        self.line = f"4:memory:/{folder.name}\n" if old else f"0::/{folder.name}\n"

    def enter(self) -> None:
        """Put the calling process, and all that it will start, into the group."""
        (self._folder / "cgroup.procs").write_text(str(os.getpid()))

    def kills(self) -> int:
        """How many of its processes the kernel has ended for want of memory."""
        counters = (self._folder / name for name in ("memory.oom_control", "memory.events"))
        text = next(path.read_text() for path in counters if path.exists())
        return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("oom_kill "))


@contextlib.contextmanager
def memory_group(limit_bytes: int) -> Iterator[MemoryGroup]:
    """A group that may use so many bytes and no swap. Skips the test where nobody lets us make one."""
    old = (OLD / "memory.limit_in_bytes").exists()
    folder = (OLD if old else NEW) / f"edgeprof-test-{os.getpid()}-{time.monotonic_ns()}"
    if not old and "memory" not in _text(NEW / "cgroup.subtree_control").split():
        pytest.skip("no memory control group can be made here: the kernel offers none at the root")
    try:
        folder.mkdir()
    except OSError as error:
        pytest.skip(f"no memory control group can be made here: {error.strerror}")
    try:
        (folder / ("memory.limit_in_bytes" if old else "memory.max")).write_text(str(limit_bytes))
        with contextlib.suppress(OSError):
            (folder / "memory.swappiness" if old else folder / "memory.swap.max").write_text("0")
        yield MemoryGroup(folder, old)
    finally:
        _remove(folder)


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _remove(folder: Path) -> None:
    """A group can be removed a moment after its last process has gone."""
    for _ in range(100):
        with contextlib.suppress(OSError):
            folder.rmdir()
            return
        time.sleep(0.02)
