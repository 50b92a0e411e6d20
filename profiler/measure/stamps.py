"""The buffer of stamps that parent and worker share: it shows progress, and it outlives a crash."""

from __future__ import annotations

import contextlib
import os
import struct
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from profiler.errors import UserError
from profiler.measure.worker import EVALUATED, FIRST, PASS, START
from profiler.runfile import Pass, hold

_MEMORY_DISK = Path("/dev/shm")  # noqa: S108
_PREFIX = "edgeprof-"
_ABANDONED_S = 60.0
"""A buffer is held from the moment after it was made: one that is this old and held by nobody is of the dead."""


@contextlib.contextmanager
def stamp_buffer(tokens: int) -> Iterator[Path]:
    """A file of zeros for `tokens` stamps, in memory where the system has such a place, gone afterwards.

    It is written in full, so that a full disk shows here and not as a bus error in the worker. What an edgeprof
    that was killed could not take away is taken away here.
    """
    folder = _MEMORY_DISK if os.access(_MEMORY_DISK, os.W_OK) else Path(tempfile.gettempdir())
    _remove_abandoned(folder)
    path = None
    try:
        handle, name = tempfile.mkstemp(prefix=_PREFIX, dir=folder)
        path = Path(name)
        with os.fdopen(handle, "wb") as file:
            file.write(bytes(8 * (FIRST + tokens)))
    except OSError as error:
        if path is not None:
            path.unlink(missing_ok=True)
        raise UserError(
            f"no room for {8 * tokens} bytes of stamps ({error.strerror}): free some space"
        ) from None
    try:
        with path.open("rb") as held:
            hold(held)
            yield path
    finally:
        path.unlink(missing_ok=True)


def _remove_abandoned(folder: Path) -> None:
    for path in folder.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            if path.is_file() and time.time() - path.stat().st_mtime > _ABANDONED_S:
                _remove_if_nobody_holds(path)


def _remove_if_nobody_holds(path: Path) -> None:
    with path.open("rb") as file:
        if hold(file):
            path.unlink()


def words(path: Path) -> tuple[int, ...]:
    """The buffer as it stands."""
    content = path.read_bytes()
    return struct.unpack(f"={len(content) // 8}q", content)


def progress(stamps: tuple[int, ...]) -> tuple[int, int]:
    """Which pass the worker is in, and how many of its tokens are stamped."""
    return stamps[PASS], sum(1 for stamp in stamps[FIRST:] if stamp)


def unfinished_pass(stamps: tuple[int, ...], finished: set[int]) -> Pass | None:
    """What was stamped of a pass that the worker did not live to report."""
    start = stamps[START]
    if not start or stamps[PASS] in finished:
        return None
    return Pass(
        number=stamps[PASS],
        start_ns=start,
        evaluated_ns=stamps[EVALUATED] - start if stamps[EVALUATED] else None,
        token_ns=[stamp - start for stamp in stamps[FIRST:] if stamp],
    )
