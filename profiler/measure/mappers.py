"""Other programs that map the files of a build: the kernel divides mapped pages among all of them, and PSS halves.

It goes to boards too: the standard library alone, Python 3.9.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from profiler.measure.page_cache import files_of

HERE = Path("/")
MOST_NAMED, LONGEST_NAME = 20, 120


def other_mappers(build: Path, besides: Collection[int], root: Path = HERE) -> list[str] | None:
    """Names of the programs that map a file of `build` now, those of the processes `besides` left out.

    Processes of other users are seen by root alone. None where the system does not list processes, or the files have
    gone.
    """
    processes = [folder for folder in (root / "proc").glob("[0-9]*") if folder.name.isdecimal()]
    if not processes:
        return None
    try:
        files = _identities(build)
    except OSError:
        return None
    found = [_name(p) for p in processes if int(p.name) not in besides and _maps(p, files)]
    return sorted(found)[:MOST_NAMED]


def _identities(build: Path) -> frozenset[tuple[str, str]]:
    """The files by inode and name, as a line of /proc/PID/maps has them: folders may be mounted elsewhere there."""
    real = [file.resolve() for file in files_of(build)]
    return frozenset((str(file.stat().st_ino), file.name) for file in real)


def _maps(process: Path, files: frozenset[tuple[str, str]]) -> bool:
    try:
        lines = (process / "maps").read_text("utf-8", "replace").splitlines()
    except OSError:
        return False
    mapped = (line.split(None, 5) for line in lines)
    return any(len(part) > 5 and (part[4], part[5].rpartition("/")[2]) in files for part in mapped)


def _name(process: Path) -> str:
    """As it calls itself: a program may choose any name, terminal commands included."""
    try:
        said = (process / "comm").read_text("utf-8", "replace")
    except OSError:
        said = ""
    name = "".join(c if c.isprintable() else " " for c in said.partition("\n")[0]).strip()
    return name[:LONGEST_NAME] or "a program"
