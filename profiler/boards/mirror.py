"""A board's kernel files and what its programs print, kept here as a tree: every reader takes it as its `root`."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from profiler.boards.link import Link
from profiler.host.capture_list import FILES, GROUP_FILES, MARKS, PROGRAMS
from profiler.host.programs import FOLDER

PROGRAM_TEXTS = {
    f"{FOLDER}/{program.name}.txt": {"command": program.command, "first_line": program.first_line_only}
    for program in PROGRAMS
    if program.system == "Linux"
}
MOST_BYTES = 32 << 20
ROOT = "/"


class Mirror:
    """The tree in `folder`, as it was when it was last read. Another `root` is that of a captured board."""

    def __init__(self, link: Link, folder: Path, root: str = ROOT) -> None:
        self._root = root
        self.root = folder / "tree"
        self.read(link)

    def read(self, link: Link) -> Path:
        """All of it anew."""
        shutil.rmtree(self.root, ignore_errors=True)
        kept = [] if self._root == ROOT else [f"{FOLDER}/*.txt"]
        patterns = [*FILES, *_groups(), *MARKS, *kept]
        found = link.ask("texts", patterns=patterns, programs=PROGRAM_TEXTS, root=self._root)
        write(self.root, found["files"])
        return self.root

    def some(self, link: Link, *names: str) -> Path:
        """A few files anew, the others as they were."""
        found = link.ask("texts", patterns=names, programs={}, root=self._root)
        write(self.root, found["files"])
        return self.root

    def sampled(self, names: Collection[str]) -> dict[str, Any]:
        """What the agent must read for these files of the tree."""
        started = names if self._root == ROOT else ()
        programs = {name: PROGRAM_TEXTS[name] for name in started if name in PROGRAM_TEXTS}
        return {"root": self._root, "files": sorted(set(names) - programs.keys()), "programs": programs}


def _groups() -> list[str]:
    """Control groups, wherever this user's are: their own limits hold for workers too."""
    names = [name for group in GROUP_FILES.values() for name in group]
    return [
        f"sys/fs/cgroup/{place}{name}" for name in names for place in ("", "user.slice/*/", "cpu/", "memory/")
    ]


def write(root: Path, files: Mapping[str, str]) -> None:
    """Names come from the board: none leads out of the tree, and there is an end to all of them."""
    room = MOST_BYTES
    root.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        parts, content = PurePosixPath(name).parts, text.encode("utf-8", "replace")
        room -= len(content)
        if room < 0 or name.startswith("/") or ".." in parts or not name.isprintable():
            continue
        path = root.joinpath(*parts)
        if not any(parent.is_file() for parent in path.parents):
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.is_dir():
                path.write_bytes(content)
