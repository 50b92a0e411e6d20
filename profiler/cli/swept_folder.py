"""Folders for large files while a command runs: gone when it ends, or swept by the next one if it was killed."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkstemp

import platformdirs

from profiler.errors import UserError
from profiler.runfile import hold

PREFIX, LOCK, FRESH_S = "run-", ".lock", 10.0
"""A lock that is younger may not be held yet."""


@contextlib.contextmanager
def swept_folder(kind: str) -> Iterator[Path]:
    """A new folder on the disk of the user's cache, among those of its kind: temporary folders may lie in memory.

    It goes when the block ends, and those of commands that were killed when the next one begins. Raises `UserError`
    where it cannot be made.
    """
    place = platformdirs.user_cache_path("edgeprof") / kind
    try:
        place.mkdir(parents=True, exist_ok=True)
        _sweep(place)
        number, name = mkstemp(prefix=PREFIX, suffix=LOCK, dir=place)
        folder = Path(name).with_suffix("")
        folder.mkdir()
    except OSError as error:
        raise UserError(
            f"{place} cannot be written ({error.strerror}): make room there, or set XDG_CACHE_HOME to another disk"
        ) from None
    with os.fdopen(number, "rb") as lock:
        hold(lock)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            Path(name).unlink(missing_ok=True)


def _sweep(place: Path) -> None:
    """Removes the folders of commands that are over: nobody holds their locks. Where there are no locks, none is."""
    for lock in place.glob(f"{PREFIX}*{LOCK}"):
        with contextlib.suppress(OSError), lock.open("rb") as file:
            if time.time() - lock.stat().st_mtime > FRESH_S and hold(file):
                shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
                lock.unlink(missing_ok=True)
