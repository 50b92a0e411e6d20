"""Files that become evidence: read whole and bounded, written once."""

from __future__ import annotations

import os
from pathlib import Path

from profiler import runfile
from profiler.errors import UserError
from profiler.evidence import archive
from profiler.runfile.imported import holds_imported
from profiler.whole_file import read_whole


def told_name(path: Path) -> str:
    """The file's name as text that every document can hold, whatever its bytes are."""
    return os.fsencode(path.name).decode("utf-8", "replace")


def content(path: Path) -> bytes:
    """The bytes of a file that a bundle can hold, or of a bundle. Raises `UserError`."""
    return read_whole(path, str(path), archive.MOST_BYTES, "give a file that a bundle can hold")


def contents(path: Path) -> list[tuple[str, bytes]]:
    """The same with its name; a run file of several boards as one file for each. Raises `UserError`."""
    file, board = runfile.picked(path)
    raw, name = content(file), told_name(file)
    if holds_imported(raw):
        return [(name, raw)]
    return list(runfile.named(Path(name), board, runfile.split(name, raw)).items())


def write_new(path: Path, raw: bytes) -> None:
    """A new file, whole or not at all. Raises `UserError`."""
    try:
        with path.open("xb") as file:
            try:
                file.write(raw)
            except OSError:
                path.unlink()
                raise
    except FileExistsError:
        raise UserError(f"{path} is there already; choose another name with -o") from None
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}; choose another place with -o") from None
