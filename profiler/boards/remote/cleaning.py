"""Everything that edgeprof has put on a board, away from it."""

import glob
import os
import shutil
import tempfile
from typing import Any, Dict

from profiler.boards.remote.alone import LOCK
from profiler.boards.remote.work import MEMORY_DISK, prefix


def remove(asked: Dict[str, Any]) -> bool:
    """Our folder, and what an agent that was killed has left elsewhere; whether there was anything."""
    folder = os.path.expanduser(asked["folder"])
    found = set(os.listdir(folder) if os.path.isdir(folder) else ()) - {LOCK}
    left = [path for place in (MEMORY_DISK, tempfile.gettempdir()) for path in _ours(place)]
    for path in left:
        _away(path)
    shutil.rmtree(folder, ignore_errors=True)
    try:
        os.rmdir(os.path.dirname(folder))
    except OSError:
        pass  # others keep something there
    return bool(found or left)


def _ours(place: str) -> "list[str]":
    """What lies there of this user's workers."""
    paths = glob.glob(os.path.join(glob.escape(place), prefix() + "*"))
    return [path for path in paths if os.lstat(path).st_uid == os.getuid()]


def _away(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path, ignore_errors=True)
    else:
        os.unlink(path)
