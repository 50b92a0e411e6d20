"""Opening a model file that somebody named: what it may be, and one sentence when it is something else."""

from __future__ import annotations

import os.path
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from profiler.errors import UserError

BUFFER_BYTES = 64 << 10
LONGEST_SHOWN = 80


class BadModelFile(UserError):
    """A model file that cannot be used; the sentence names the file and what was found in it."""


def shown(text: str) -> str:
    """`text` from a file or a path, short and with nothing in it that a terminal would obey."""
    short = text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 3] + "..."
    return short if short and short.isprintable() else repr(short)


def shown_name(path: Path) -> str:
    """The name of `path` without its folders, as sentences show it."""
    return shown(path.name or str(path))


def is_file(path: Path) -> bool:
    """Whether there is a file at `path`; False also for what no path can be, where `Path.is_file` raises."""
    return os.path.isfile(path)  # noqa: PTH113


def is_folder(path: Path) -> bool:
    """Whether there is a folder at `path`; False also for what no path can be, where `Path.is_dir` raises."""
    return os.path.isdir(path)  # noqa: PTH112


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The regular file at `path`, open for reading. Raises BadModelFile for what cannot be opened or read."""
    name = shown_name(path)
    try:
        _require_regular(path, name)
        with path.open("rb", buffering=BUFFER_BYTES) as file:
            yield file
    except FileNotFoundError:
        raise BadModelFile(f"{name}: no such file; check the path.") from None
    except PermissionError:
        raise BadModelFile(f"{name}: this user may not read it; change its permissions.") from None
    except OSError as error:
        raise BadModelFile(f"{name}: cannot be read ({error.strerror}).") from error


def _require_regular(path: Path, name: str) -> None:
    if "\0" in str(path):
        raise BadModelFile(f"{name}: a path cannot hold a zero byte.")
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise BadModelFile(f"{name}: is a folder, not a model file; give the file inside it.")
    if not stat.S_ISREG(mode):
        raise BadModelFile(f"{name}: is a pipe, a socket or a device; give a regular file.")
