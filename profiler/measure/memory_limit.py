"""A place of limited memory for one worker: a control group of its own, or a scope made by systemd.

The kernel charges a group for what its processes allocate and for the pages of files that they are the first to read,
swap is shut, and what does not fit is read again from the disk or ends the worker. So a build must be out of the page
cache before its worker starts, or it would be used for free. Pages of the interpreter and of an engine's libraries
that lie in the cache already stay free: some tens of megabytes that a board would have to find too. Limits of address
space (RLIMIT_AS) are no such limit: a mapped file takes address space whether or not it is in memory.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ParamSpec

import msgspec

from profiler.errors import UserError
from profiler.measure.endings import oom_kills_in
from profiler.runfile import MemoryLimit

SMALLEST_BYTES, LARGEST_BYTES = 64 * 2**20, 16 * 2**40
"""An interpreter with an engine's library does not run in less; no board or laptop has more."""

GROUP_V2, GROUP_V1, SCOPE = "cgroup v2", "cgroup v1", "systemd"

PEAK = ("memory.peak", "memory.max_usage_in_bytes")
"""Where a group keeps the most that it ever took, in v2 (from Linux 5.19 on) and in v1."""

_ENTER = 'echo $$ > "$0/cgroup.procs" && exec "$@"'
"""The shell joins the group and becomes the worker: no instruction of it runs outside."""

_REMOVE_TRIES, _REMOVE_PAUSE_S = 100, 0.02
"""A group can be removed a moment after its last process has gone."""

P = ParamSpec("P")


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """How a worker gets so many `bytes` here: by a group or a scope, below the control group `parent`."""

    by: str
    parent: Path
    bytes: int


class Place:
    """Where one worker runs. `before` is the command that puts it there, to stand before its own."""

    def __init__(self, way: Way | None, folder: Path | None = None, before: list[str] | None = None) -> None:
        self.before = before or []
        self._way, self._folder = way, folder
        self._peak: int | None = None
        self._kills_before = self._kills()

    def looking(self, call: Callable[P, None]) -> Callable[P, None]:
        """The same, with a look at what the kernel has counted: a scope's counters go with its last process."""

        def look(*words: P.args, **named: P.kwargs) -> None:
            self._peak = _first(self._folder, PEAK) or self._peak
            call(*words, **named)

        return look if self._way is not None and self._way.by == SCOPE else call

    def counted(self) -> MemoryLimit | None:
        """The limit and what the kernel counted at it; None in a place without one."""
        if self._way is None:
            return None
        kills, before = self._kills(), self._kills_before
        return MemoryLimit(
            bytes=self._way.bytes,
            by=self._way.by,
            peak_bytes=_first(self._folder, PEAK) or self._peak,
            oom_kills=None if kills is None or before is None else max(0, kills - before),
        )

    def _kills(self) -> int | None:
        """How many processes were ended for want of memory. Those of a scope are counted by its parent too."""
        if self._way is None or self._folder is None:
            return None
        return oom_kills_in(self._way.parent if self._way.by == SCOPE else self._folder)


def new_name() -> str:
    """Of a place that nobody else has; it tells whose it is."""
    return f"edgeprof-{os.getpid()}-{time.monotonic_ns()}"


@contextlib.contextmanager
def limited_place(way: Way | None) -> Iterator[Place]:
    """A place for one worker, gone afterwards with all that is still in it; without a `way` one without a limit.

    Raises `UserError` where the kernel lets us make no such group, or no longer.
    """
    if way is None:
        yield Place(None)
        return
    name = new_name()
    if way.by == SCOPE:
        yield Place(way, way.parent / f"{name}.scope", scope_command(name, way.bytes))
        return
    folder = way.parent / name
    try:
        _make(folder, way)
        yield Place(way, folder, ["sh", "-c", _ENTER, str(folder)])
    finally:
        _remove(folder)


def _make(folder: Path, way: Way) -> None:
    try:
        folder.mkdir()
        _limit(folder, way)
    except OSError as error:
        raise UserError(
            f"no control group of limited memory can be made below {way.parent} ({error.strerror})"
        ) from None


def _limit(folder: Path, way: Way) -> None:
    if way.by == GROUP_V2:
        _write(folder / "memory.max", way.bytes)
        with contextlib.suppress(FileNotFoundError):
            _write(folder / "memory.swap.max", 0)
        return
    _write(folder / "memory.limit_in_bytes", way.bytes)
    try:
        _write(folder / "memory.memsw.limit_in_bytes", way.bytes)
    except OSError:
        _write(folder / "memory.swappiness", 0)


def _write(file: Path, value: int) -> None:
    """Into a file that the kernel offers; none is made."""
    with file.open("r+b", buffering=0) as handle:
        handle.write(str(value).encode())


def _remove(folder: Path) -> None:
    for _ in range(_REMOVE_TRIES):
        for pid in _text(folder / "cgroup.procs").split():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(int(pid), signal.SIGKILL)
        with contextlib.suppress(OSError):
            folder.rmdir()
        if not folder.exists():
            return
        time.sleep(_REMOVE_PAUSE_S)


def remove_abandoned(parent: Path) -> None:
    """What an edgeprof that was killed could not take away. Its workers went with it; a dead process has no words."""
    for folder in parent.glob("edgeprof-*-*"):
        pid = folder.name.split("-")[1]
        if pid.isdecimal() and not _text(Path("/proc", pid, "cmdline")):
            with contextlib.suppress(OSError):
                folder.rmdir()


def scope_command(name: str, limit_bytes: int) -> list[str]:
    """systemd-run becomes the worker too, and the worker does not see the variable that finds the user manager."""
    variable = "XDG_RUNTIME_DIR"
    limits = ["-p", f"MemoryMax={limit_bytes}", "-p", "MemorySwapMax=0"]
    run = ["systemd-run", "--user", "--scope", "--quiet", "--collect", f"--unit={name}", *limits, "--"]
    return ["env", f"{variable}={runtime_folder()}", *run, "env", "-u", variable]


def runtime_folder() -> str:
    """Where this user's manager of services listens, if one runs."""
    return os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"


def _first(folder: Path | None, names: tuple[str, ...]) -> int | None:
    """The number in the first of these files that is there."""
    texts = [_text(folder / name).strip() for name in names] if folder else []
    return next((int(text) for text in texts if text.isdecimal()), None)


def _text(file: Path) -> str:
    try:
        return file.read_text("ascii", "replace")
    except OSError:
        return ""
