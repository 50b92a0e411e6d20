"""Where the lines of a run go: its file, held as long as it is written, and the board there whose run it is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

import msgspec

from profiler import runfile
from profiler.errors import UserError
from profiler.runfile import Record, Run


class Place(msgspec.Struct, frozen=True):
    """A file that is held, its path, and what the board is called there."""

    file: FileIO
    path: Path
    board: str

    def at_the_end(self) -> None:
        """Ready for appending, without a torn last line."""
        self.file.seek(0)
        self.file.truncate(self.file.readall().rfind(b"\n") + 1)
        self.file.seek(0, os.SEEK_END)

    def append(self, record: Record) -> None:
        """One more line. Raises `UserError` where it cannot be written."""
        runfile.append(self.file, record)

    def read(self) -> Run:
        """What is there of this run."""
        return runfile.read_boards(self.path)[self.board]


@contextmanager
def created(path: Path) -> Iterator[FileIO]:
    """A new file. Raises `UserError` for one that is there."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("xb", buffering=0)
    except FileExistsError:
        raise UserError(f"{path} exists: choose another name, or go on with it by --resume {path}") from None
    except OSError as error:
        raise UserError(
            f"{path} cannot be written ({error.strerror}): choose another place with -o"
        ) from None
    with file:
        _hold(file, path)
        yield file


@contextmanager
def reopened(path: Path) -> Iterator[FileIO]:
    """A file that is there. Raises `UserError` where it cannot be written."""
    try:
        file = path.open("r+b", buffering=0)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}") from None
    with file:
        _hold(file, path)
        yield file


def _hold(file: FileIO, path: Path) -> None:
    """Nobody else writes this file until we have ended. Windows has no such locks; nothing is held there."""
    if runfile.hold(file) is False:
        raise UserError(f"another edgeprof is writing {path}: wait until it has ended, or stop it")
