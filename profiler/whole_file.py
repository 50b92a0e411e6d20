"""A file of a stranger, read whole if it is a regular one of bounded size."""

from __future__ import annotations

from pathlib import Path

from profiler.errors import UserError


def read_whole(path: Path, called: str, most: int, advice: str) -> bytes:
    """A file of at most `most` bytes. Raises `UserError`: what it is `called`, what is wrong, what to give instead."""
    try:
        if not path.is_file():
            what = "a folder or a device" if path.exists() else "not there"
            raise UserError(f"{called} is {what}; {advice}")
        with path.open("rb") as file:
            content = file.read(most + 1)
    except (OSError, ValueError) as error:
        raise UserError(f"{called} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if len(content) > most:
        raise UserError(f"{called} is larger than {most >> 20} MiB; {advice}")
    return content
