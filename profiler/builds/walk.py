"""A bounded walk through a folder that somebody else filled: every surprise is an entry with its reason."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

import msgspec

MOST_ENTRIES = 20_000
"""Files and folders looked at in one walk."""

DEEPEST = 8
"""Folders within folders."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """Something in a store, by the name that its program uses: a model at `path`, or the problem with it."""

    name: str
    path: Path | None = None
    problem: str | None = None


def walk(
    root: Path, wanted: Callable[[str], bool], skipped: Callable[[str], bool] = lambda _: False
) -> Iterator[Entry]:
    """The `wanted` files below `root` by name, without the `skipped` folders, and what could not be looked at."""
    waiting, left = [(root, 0)], MOST_ENTRIES
    while waiting:
        folder, depth = waiting.pop()
        try:
            children = _children(folder, left + 1)
        except OSError as error:
            yield Entry(name=name_of(folder, root), problem=f"cannot be read ({error.strerror})")
            continue
        left -= len(children)
        folders = [path for path, kind in children if kind == "folder" and not skipped(path.name)]
        yield from _chosen(root, children, wanted)
        if left < 0 or (folders and depth == DEEPEST):
            limit = f"more than {MOST_ENTRIES} entries" if left < 0 else f"folders more than {DEEPEST} deep"
            yield Entry(name=name_of(folder, root), problem=f"has {limit}; the rest was not looked at")
        if left < 0:
            return
        if depth < DEEPEST:
            waiting += [(path, depth + 1) for path in reversed(folders)]


def name_of(path: Path, root: Path) -> str:
    """The path below `root` as text that can be written, whatever bytes are in it."""
    below = path != root and path.is_relative_to(root)
    relative = path.relative_to(root).as_posix() if below else path.name
    return os.fsencode(relative).decode("utf-8", "replace")


def _children(folder: Path, most: int) -> list[tuple[Path, str]]:
    """Up to `most` things in `folder` by name, each a "folder", a "link" to one, or a "file"."""
    with os.scandir(folder) as found:
        some = sorted(islice(found, most), key=lambda child: child.name)
        return [(Path(child.path), _kind(child)) for child in some]


def _kind(child: os.DirEntry[str]) -> str:
    """A link that leads nowhere counts as a file: it matters only where a file of its name is wanted."""
    try:
        if child.is_dir(follow_symlinks=False):
            return "folder"
        return "link" if child.is_dir() else "file"
    except OSError:
        return "file"


def _chosen(
    root: Path, children: Iterable[tuple[Path, str]], wanted: Callable[[str], bool]
) -> Iterator[Entry]:
    for path, kind in children:
        if kind == "link":
            yield Entry(name=name_of(path, root), problem="is a link to a folder, which is not followed")
        elif kind == "file" and wanted(path.name):
            yield Entry(name=name_of(path, root), path=path)
