"""Measuring alone on a board: a lock that the kernel frees when its holder ends, however that ends."""

import fcntl
import json
import os
import signal
import time
from typing import Any, Dict, Optional, TextIO

from profiler.boards.remote.files import folder

LOCK = "lock"
LONGEST_SIGNATURE = 4096
ENDING_S, PAUSE_S = 5.0, 0.1
"""For a holder that was told to end, and between looks at whether it has."""


class Lock:
    """A file below our folder, which one agent holds."""

    def __init__(self) -> None:
        self._file: Optional[TextIO] = None

    def take(self, asked: Dict[str, Any]) -> Optional[float]:
        """None once it is held here, else for how many seconds another has held it.

        A holder with the same `word` is of the same run, left over from a link that broke: it is ended.
        """
        path = os.path.join(os.path.expanduser(asked["folder"]), LOCK)
        folder({"path": os.path.dirname(path)})
        give_up = time.monotonic() + ENDING_S
        while self._file is None:
            file = open(path, "a+", encoding="ascii")
            if _flock(file) and _is_at(path, file):
                self._file = _signed(file, asked["word"])
                break
            holder = _signature(file)
            file.close()
            if holder["word"] != asked["word"] or time.monotonic() > give_up:
                return float(max(0.0, time.monotonic() - holder["since"]))
            _end(holder["pid"])
        return None


def _flock(file: TextIO) -> bool:
    """Whether nobody else holds it. Some network disks have no locks: there nobody does."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True


def _is_at(path: str, file: TextIO) -> bool:
    """Whether the file is still the one of this name: who cleans a board removes it."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(file.fileno()))
    except OSError:
        return False


def _signed(file: TextIO, word: str) -> TextIO:
    file.truncate(0)
    json.dump({"pid": os.getpid(), "since": time.monotonic(), "word": word}, file)
    file.flush()
    return file


def _signature(file: TextIO) -> Dict[str, Any]:
    """Who holds it and since when; somebody since now while that is being written."""
    file.seek(0)
    try:
        said = json.loads(file.read(LONGEST_SIGNATURE))
        return {"pid": int(said["pid"]), "since": float(said["since"]), "word": said["word"]}
    except (ValueError, TypeError, KeyError):
        return {"pid": 0, "since": time.monotonic(), "word": None}


def _end(pid: int) -> None:
    try:
        if pid > 1:
            os.kill(pid, signal.SIGTERM)
    except OSError:
        pass
    time.sleep(PAUSE_S)
