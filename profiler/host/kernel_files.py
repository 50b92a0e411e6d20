"""Reading the kernel's small text files: bounded, printable, and with a reason when it cannot be done."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path("/")
"""The root of the machine that the program runs on. Any other root is a constructed or a captured tree."""

LONGEST_FILE = 1024 * 1024
LONGEST_WORD = 120
LONGEST_NUMBER = 64
MOST_ENTRIES = 1024


class UnreadableError(Exception):
    """A fact that cannot be read here. The text is the reason; it holds no absolute path."""


_noted: list[set[str]] = []


@contextmanager
def names_read() -> Iterator[set[str]]:
    """The names of all files that are asked for meanwhile: what a board must read for a sensor."""
    found: set[str] = set()
    _noted.append(found)
    try:
        yield found
    finally:
        _noted.remove(found)


def read_text(root: Path, name: str, most: int = LONGEST_FILE) -> str:
    """One kernel file, at most `most` bytes of it, with whatever cannot be printed turned into spaces."""
    for names in _noted:
        names.add(name)
    try:
        raw = _begin(root, name, most) if most <= LONGEST_NUMBER else _whole(root, name, most)
    except (FileNotFoundError, NotADirectoryError):
        raise UnreadableError(f"{name}: not offered here") from None
    except PermissionError:
        raise UnreadableError(f"{name}: needs more rights") from None
    except OSError as error:
        raise UnreadableError(f"{name}: {error.strerror}") from None
    return printable(raw)


def _whole(root: Path, name: str, most: int) -> bytes:
    with (root / name).open("rb") as file:
        return file.read(most)


def _begin(root: Path, name: str, most: int) -> bytes:
    """What one call of the system gives: sensors are read beside a model that computes, and so in microseconds."""
    file = os.open(root / name, os.O_RDONLY)
    try:
        return os.read(file, most)
    finally:
        os.close(file)


def printable(raw: bytes) -> str:
    """Text in which nothing but line ends is left of what cannot be printed."""
    return "".join(c if c.isprintable() or c == "\n" else " " for c in raw.decode("utf-8", "replace"))


def word(root: Path, name: str) -> str:
    """The first line of a file, at most 120 characters."""
    first = read_text(root, name).strip().partition("\n")[0].strip()[:LONGEST_WORD]
    if not first:
        raise UnreadableError(f"{name}: empty")
    return first


def word_or_none(root: Path, name: str) -> str | None:
    try:
        return word(root, name)
    except UnreadableError:
        return None


def number(root: Path, name: str) -> int:
    """The whole number that a file holds."""
    text = read_text(root, name, LONGEST_NUMBER).strip()
    if not re.fullmatch(r"-?\d{1,19}", text):
        raise UnreadableError(f"{name}: not a number")
    return int(text)


def entries(root: Path, folder: str, pattern: str) -> list[str]:
    """The names, below the root, of a folder's entries: policy2 before policy10.

    No kernel gives a name that cannot be printed: such entries are left out. A folder that is closed to this user has
    none, as on phones, where a program may not look into most of /sys.
    """
    try:
        names = [path.name for path in (root / folder).glob(pattern)]
    except OSError:
        return []
    found = sorted((name for name in names if name.isprintable()), key=_by_number)
    return [f"{folder}/{name}" for name in found[:MOST_ENTRIES]]


def _by_number(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d{1,9})", name)]


def is_there(root: Path, name: str) -> bool:
    """Whether something of this name can be seen below the root: not within a folder that is closed to this user."""
    try:
        return (root / name).exists()
    except OSError:
        return False


def field(root: Path, name: str, key: str) -> str:
    """The value of the first `key: value` or `key=value` line of a file."""
    found = re.search(rf"^{re.escape(key)}[ ]*[:=](.*)$", read_text(root, name), re.MULTILINE)
    if not found or not found[1].strip():
        raise UnreadableError(f"{name}: has no {key}")
    return found[1].strip()[:LONGEST_WORD]
