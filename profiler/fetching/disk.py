"""Writing beside a download: enough room, one writer at a time, and files that are whole at any moment."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from profiler.builds.model_file import shown_name
from profiler.errors import UserError


def beside(path: Path, ending: str) -> Path:
    """The file of ours that lies beside a model: its name and `ending`."""
    return path.with_name(path.name + ending)


def replace_json(path: Path, content: msgspec.Struct) -> None:
    """Write `content` so that `path` holds all of the old or all of the new at any moment."""
    unfinished = beside(path, ".new")
    unfinished.unlink(missing_ok=True)
    with unfinished.open("xb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")
    unfinished.replace(path)


def require_room(folder: Path, count: int, name: str) -> None:
    """Raises `UserError` unless the disk of `folder` has room for `count` more bytes."""
    free = shutil.disk_usage(folder).free
    if count > free:
        raise UserError(
            f"{name} needs {megabytes(count)} and {folder} has {megabytes(free)} free: "
            "make room, or choose another place with -o"
        )


def megabytes(count: int) -> str:
    """Bytes as disks and servers count them."""
    return f"{count / 1e6:,.1f} MB"


@contextmanager
def alone(target: Path) -> Iterator[None]:
    """Only one process at a time fetches `target`; raises `UserError` in the others. Windows has no such lock."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    lock = target.with_name(f".{target.name}.lock")
    with open(lock, "ab", opener=not_through_links) as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not os.path.samestat(os.fstat(held.fileno()), lock.stat()):
                raise BlockingIOError
        except (BlockingIOError, FileNotFoundError):
            raise UserError(
                f"{shown_name(target)} is being fetched by another edgeprof: wait for it"
            ) from None
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)


def not_through_links(name: str, flags: int) -> int:
    """Opens for `open`, makes the file if need be, and refuses a link that somebody laid in its place."""
    return os.open(name, flags | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
