"""A machine in one file: its kernel files and what its own tools print, without what could name anybody.

A captured tree is read like a real one: every reader of this package takes its folder as `root`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

import msgspec

import profiler
from profiler.host import archive, windows
from profiler.host.capture_list import FILES, FOLDERS, GROUP_FILES, MARKS, PROGRAMS, kept
from profiler.host.cgroup import cgroup_folders
from profiler.host.confinement import CONTAINER_SIGNS
from profiler.host.kernel_files import HERE, UnreadableError, is_there, read_text
from profiler.host.programs import FOLDER, output
from profiler.host.readings import compatible
from profiler.host.scrubber import Scrubber, secrets

SCHEMA = "edgeprof.capture/1"
ABOUT = "capture.json"
TOPS = (ABOUT, FOLDER, *(name.partition("/")[0] for name in (*MARKS, *FILES)))
"""How the names in a capture begin."""

MOST_LEFT_OUT = 1000

_GROUP_LISTS = ("proc/1/cgroup", "proc/self/cgroup")
_USUAL_GROUPS = frozenset(
    {
        *("init.scope", "machine.slice", "system.slice", "user.slice", "kubepods", "kubepods.slice"),
        *("besteffort", "burstable", "guaranteed", "docker", "lxc", "..", ""),
        *("cgroup", "cpu", "fs", "memory", "unified"),
    }
)
"""Names of control groups that systems use everywhere, and the words in the paths of all groups."""


class Captured(msgspec.Struct, frozen=True, kw_only=True):
    """Texts by name below the root. `taken`: how many files each pattern gave. `replaced`: different secrets,
    by kind. `left_out`: what is there and could not be read, or was one too many."""

    files: dict[str, str]
    folders: tuple[str, ...]
    taken: dict[str, int]
    replaced: dict[str, int]
    left_out: tuple[str, ...]


def capture(root: Path = HERE) -> Captured:
    """Reads what the list allows, scrubs every text and every name. Changes nothing, sends nothing."""
    scrubber = Scrubber(secrets(root, _common_words(root)))
    groups = _group_words(root)
    files: dict[str, str] = {}
    taken: Counter[str] = Counter()
    left_out: list[str] = []
    room = archive.MOST_BYTES_IN_ALL
    for pattern, name, text in _texts(root, left_out):
        clean_name, clean = (scrubber.clean(part) for part in _without_groups(name, text, groups))
        room -= len(clean.encode())
        if room < 0 or len(files) >= archive.MOST_FILES - len(FOLDERS) - 1 or clean_name in files:
            left_out.append(f"{clean_name}: no room")
            continue
        files[clean_name] = clean
        taken[pattern] += 1
    return Captured(
        files=files,
        folders=tuple(folder for folder in FOLDERS if is_there(root, folder)),
        taken=dict(taken),
        replaced=scrubber.replaced() | _renamed(groups),
        left_out=tuple(scrubber.clean(reason) for reason in left_out[:MOST_LEFT_OUT]),
    )


def save(captured: Captured, path: Path) -> None:
    """One new file, .tar.gz or .zip, with a note on what was replaced. Raises `UserError`."""
    about = {
        "schema": SCHEMA,
        "edgeprof": profiler.__version__,
        "replaced": captured.replaced,
        "left_out": captured.left_out,
    }
    note = msgspec.json.format(msgspec.json.encode(about)).decode()
    archive.write(path, captured.files | {ABOUT: f"{note}\n"}, captured.folders)


def unpack(path: Path, folder: Path) -> Path:
    """The captured tree in `folder`, new or empty, to be given as `root` to every reader.

    The archive may come from anybody. Raises `UserError` for all that no capture has.
    """
    return archive.unpack(path, folder, TOPS)


def _texts(root: Path, left_out: list[str]) -> Iterator[tuple[str, str, str]]:
    """Pattern, name and text of everything on the list that is there."""
    for pattern, name in [*_listed(root), *_of_groups(root)]:
        try:
            yield pattern, name, kept(name, read_text(root, name))
        except UnreadableError as reason:
            if is_there(root, name):
                left_out.append(str(reason))
    for name in MARKS:
        if is_there(root, name):
            yield name, name, ""
    for name, text in _outputs(root):
        yield name, name, kept(name, text)


def _listed(root: Path) -> Iterator[tuple[str, str]]:
    for pattern in FILES:
        with suppress(OSError):
            found = sorted(islice(root.glob(pattern), archive.MOST_FILES))
            names = (path.relative_to(root).as_posix() for path in found)
            yield from ((pattern, name) for name in names if name.isprintable())


def _of_groups(root: Path) -> Iterator[tuple[str, str]]:
    names = {
        (file, f"{folder}/{file}")
        for controller, files in GROUP_FILES.items()
        for folder in cgroup_folders(root, controller)
        for file in files
    }
    for file, name in sorted(names):
        if is_there(root, name):
            yield f"sys/fs/cgroup/.../{file}", name


def _outputs(root: Path) -> Iterator[tuple[str, str]]:
    for program in PROGRAMS:
        with suppress(UnreadableError):
            yield f"{FOLDER}/{program.name}.txt", output(root, program)
    with suppress(UnreadableError):
        yield windows.FILE, windows.text(root)


def _common_words(root: Path) -> list[str]:
    """The words that kernel files are named by, and those of the device tree's compatible list.

    A board's first host name is often one of the latter, without its maker.
    """
    of_files = [word for pattern in FILES for word in re.split(r"[^A-Za-z0-9]+", pattern)]
    of_board = [part for word in compatible(root) if "," in word for part in word.split(",")]
    return [*of_files, *of_board]


def _group_words(root: Path) -> dict[str, str]:
    """For each control group of this process: its name in the capture. Its own may be that of a user."""
    words: dict[str, str] = {}
    for name in _GROUP_LISTS:
        with suppress(UnreadableError):
            for line in read_text(root, name).split("\n"):
                for part in line.split(":", 2)[-1].split("/"):
                    sign = next((sign for sign in CONTAINER_SIGNS if sign in part), "group")
                    usual = part in _USUAL_GROUPS
                    words.setdefault(part, part if usual else f"{sign}-{len(words)}")
    return words


def _renamed(groups: dict[str, str]) -> dict[str, int]:
    count = sum(name != word for name, word in groups.items())
    return {"group": count} if count else {}


def _without_groups(name: str, text: str, groups: dict[str, str]) -> tuple[str, str]:
    """Name and text with the other names of the groups, where they stand."""
    if name.startswith("sys/fs/cgroup/"):
        return _with_groups(name, groups), text
    if name in _GROUP_LISTS:
        return name, "\n".join(_with_groups(line, groups) for line in text.split("\n"))
    return name, text


def _with_groups(text: str, groups: dict[str, str]) -> str:
    """A path, or a line that ends in one, with the groups under their other names."""
    start, slash, path = text.partition("/")
    return start + slash + "/".join(groups.get(part, part) for part in path.split("/"))
