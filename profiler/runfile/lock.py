"""One process at a time: a file is held by whoever writes it, until that process ends, however it ends."""

from __future__ import annotations

from typing import IO, Any


def hold(file: IO[Any]) -> bool | None:
    """Hold `file` until it is closed: True, or False while another process holds it.

    None where there are no such locks: on Windows, and on some network disks. Nothing is held there.
    """
    try:
        import fcntl
    except ImportError:
        return None
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True
