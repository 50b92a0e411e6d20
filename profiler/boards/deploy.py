"""What a board is given before a run: the worker's files, and its builds. Each is copied once, whole or not at all."""

from __future__ import annotations

import hashlib
import re
import shlex
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import IO

import msgspec

import profiler
from profiler.boards.link import SSH, TOO_OLD, Link, LinkLost, Refused
from profiler.builds.hashes import build_sha256, sha256
from profiler.errors import UserError
from profiler.measure.endings import printable
from profiler.measure.page_cache import files_of
from profiler.runfile import Anchor

FOLDER = "~/.cache/edgeprof-board"
ENGINES = "engines"
"""Below that folder: workers find what is there before the packages of the board's Python."""

CODE = (
    *("engines/*.py", "measure/__init__.py", "measure/page_cache.py"),
    *("measure/mappers.py", "measure/worker*.py"),
)
SPARE_BYTES = 256 << 20
HASH_S = 1800.0
LAST_WORDS = 4096
BLOCK_BYTES = 1 << 16
LOST = 255
"""The exit status of ssh itself, rather than of what it ran."""

Tell = Callable[[str, int, int], None]
"""Called with what is being copied, and the bytes so far and in all."""


class Board(msgspec.Struct, frozen=True, kw_only=True):
    """What a board said of itself when it was asked first, and after each link that broke.

    `boot_id` is another one after each start; it is compared, and never kept: it tells machines apart.
    """

    python: str
    bits: int
    system: str
    machine: str
    libc: str
    page_bytes: int
    folder: str
    free_bytes: int
    cpus: list[int]
    anchor: Anchor
    boot_id: str | None

    def clock_ahead_s(self) -> float:
        """By how much its wall clock is ahead of ours; to be asked as soon as it has answered."""
        return self.anchor.wall_ns / 1e9 - time.time()

    @property
    def short_python(self) -> str:
        """Its Python as wheels name it, such as 3.11."""
        major, minor = map(int, self.python.split(".")[:2])
        return f"{major}.{minor}"

    @property
    def glibc(self) -> int | None:
        """The minor number of its glibc 2.x; None for another C library."""
        told = re.fullmatch(r"glibc 2\.([0-9]{1,3})(\.[0-9]+)?", self.libc)
        return int(told[1]) if told else None

    def python_is_at_least(self, *version: int) -> bool:
        """Whether its Python is this version or a later one."""
        return tuple(map(int, self.short_python.split("."))) >= version


def greeted(link: Link) -> Board:
    """The board behind a link. Raises `UserError` for one that no worker runs on."""
    said = msgspec.convert(link.ask("hello", folder=FOLDER), Board)
    if said.bits != 64:
        raise UserError(
            f"board {link.host} runs a {said.bits}-bit system, for which no engine has wheels: install the 64-bit one"
        )
    if said.system != "Linux":
        raise UserError(f"board {link.host} runs {said.system}: --on measures on Linux")
    if not said.python_is_at_least(3, 9):
        raise UserError(f"board {link.host}: it has Python {said.python}: {TOO_OLD}")
    return said


def code(link: Link, board: Board) -> str:
    """The worker's files are there; the path of the worker."""
    home = Path(profiler.__file__).parent
    texts = {
        path.relative_to(home).as_posix(): path.read_text("utf-8")
        for pattern in CODE
        for path in sorted(home.glob(pattern))
    }
    digest = hashlib.sha256(repr(sorted(texts.items())).encode()).hexdigest()[:16]
    folder = f"{board.folder}/code/{digest}/profiler"
    worker = f"{folder}/measure/worker.py"
    if link.ask("sizes", paths=[worker])[worker] is None:
        last = "measure/worker.py"
        for name in [*(name for name in texts if name != last), last]:
            link.ask("put", path=f"{folder}/{name}", text=texts[name])
    return worker


def build(link: Link, board: Board, path: Path, tell: Tell) -> str:
    """A build is there, compared by its hash; its path on the board. Raises `UserError` where there is no room."""
    digest = build_sha256(path)
    folder = f"{board.folder}/builds/{digest[:16]}"
    files = list(_files(path))
    wanted = {f"{folder}/{name}": file for name, file in files}
    there = link.ask("sizes", paths=list(wanted))
    missing = {remote: file for remote, file in wanted.items() if there[remote] != file.stat().st_size}
    needed = sum(file.stat().st_size for file in missing.values())
    require_room(link, board, needed, path.name)
    for remote, file in missing.items():
        send(link, file, remote, tell)
    return f"{folder}/{path.name}"


def require_room(link: Link, board: Board, needed: int, name: str) -> None:
    """Raises `UserError` where so many bytes more would fill the board."""
    if needed and needed + SPARE_BYTES > board.free_bytes:
        raise UserError(
            f"board {link.host} has {board.free_bytes >> 20} MiB free, where {needed >> 20} MiB ({name}) and "
            f"{SPARE_BYTES >> 20} MiB to spare are needed: free some there (edgeprof board clean {link.host} removes "
            "what earlier runs left)"
        )


def _files(path: Path) -> Iterator[tuple[str, Path]]:
    """Each file with its name below the folder of the build."""
    for file in files_of(path):
        inside = file.relative_to(path) if path.is_dir() else None
        yield str(PurePosixPath(path.name, *(inside.parts if inside else ()))), file


def send(link: Link, file: Path, remote: str, tell: Tell) -> None:
    """One file. It goes on where it was cut off, and gets its name only when its hash is right.

    Raises `LinkLost` where it is cut off, `Refused` where the board cannot keep it.
    """
    part, size = f"{remote}.part", file.stat().st_size
    link.ask("folder", path=str(PurePosixPath(remote).parent))
    there = link.ask("sizes", paths=[part])[part]
    if there is None or there < size:
        _pour(link, file, part, there or 0, tell)
    found = link.ask("sha256", timeout_s=HASH_S, path=part)
    if found["sha256"] != sha256(file):
        link.ask("forget", path=part)
        raise UserError(
            f"{file.name} did not arrive whole on board {link.host}: try again, and look at its card"
        )
    link.ask("rename", path=part, to=remote)


def _pour(link: Link, file: Path, part: str, start: int, tell: Tell) -> None:
    """From the block of byte `start` on. What has arrived stays, however it ends.

    Every byte has its place: what an earlier connection still delivers, late, does no harm.
    """
    first = start // BLOCK_BYTES
    there = f"dd bs={BLOCK_BYTES} seek={first} conv=notrunc status=none of={shlex.quote(part)}"
    command = [*SSH, "--", link.host, there]
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True
        )
        assert process.stdin is not None
        with suppress(BrokenPipeError), process.stdin as sink:
            _pieces(file, first * BLOCK_BYTES, sink, tell)
        status = process.wait()
        errors.seek(0)
        said = _last_line(errors.read(LAST_WORDS))
    if status == LOST:
        raise LinkLost(said or "the connection ended")
    if status:
        raise Refused(said or f"dd ended with exit status {status}")


def _last_line(said: bytes) -> str:
    """What went wrong; before it, a board may greet."""
    *_, last = ["", *said.decode("utf-8", "replace").strip().splitlines()]
    return printable(last).rstrip(".")


def _pieces(file: Path, start: int, sink: IO[bytes], tell: Tell) -> None:
    size = file.stat().st_size
    with file.open("rb") as source:
        source.seek(start)
        for piece in iter(lambda: source.read(1 << 20), b""):
            sink.write(piece)
            tell(f"{file.name} -> board", source.tell(), size)
