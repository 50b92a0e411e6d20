"""Engines that come as wheels: pip finds them here for a board's Python, and the board unpacks them, no more."""

from __future__ import annotations

import re
import stat
import zipfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

import msgspec

from profiler.boards.deploy import ENGINES, HASH_S, Board, Tell, require_room, send
from profiler.boards.link import Link
from profiler.builds.hashes import sha256
from profiler.environments.child import Ended, last_error, shortened
from profiler.environments.downloading import download
from profiler.errors import UserError

_RUNTIME = ("numpy>=1.26", "onnxruntime>=1.31", "tokenizers>=0.21")
NEEDS = {"ort": _RUNTIME, "ort-genai": (*_RUNTIME, "onnxruntime-genai>=0.18")}
"""What a worker imports, at the versions of our extra `onnx`. Whatever else those wheels ask for, no worker imports."""

FOR_EARLIER_PYTHON = {"onnxruntime>=1.31": "onnxruntime>=1.19"}
"""Before Python 3.11: 1.19.2 is the last with wheels for 3.9, 1.23.2 for 3.10. The engine runs on both, on the CPU."""

OLDEST_GLIBC = 17
"""Of glibc 2.17 are the oldest wheels for 64-bit ARM; one for an older glibc runs on every later one."""

MOST_FILES, MOST_BYTES = 20_000, 2 << 30
UNREACHED = ("connection broken", "Could not fetch URL")
"""What pip says when an index does not answer, before it says that there is nothing."""

Say = Callable[[str], None]


class Wheel(msgspec.Struct, frozen=True, kw_only=True):
    """A wheel that was looked through: `info` is the folder that describes it, `unpacked` the bytes of its files."""

    path: Path
    info: str
    sha256: str
    unpacked: int

    @property
    def title(self) -> str:
        """Its name and version, as its maker writes them."""
        name, _, version = self.info.removesuffix(".dist-info").rpartition("-")
        return f"{name.replace('_', '-')} {version}"

    @property
    def mark(self) -> str:
        """The file that says on a board that all of this wheel is there."""
        return f"{self.info}/edgeprof-{self.sha256[:16]}"


def put(
    link: Link, board: Board, wanted: Sequence[str], source: Path | None, tell: Tell, say: Say
) -> list[str]:
    """What these engines need is in the board's folder of engines; titles of all wheels.

    They come from the folder `source`, or from the index that pip is set up with. `say` gets a line for each. Raises
    `UserError` where there is none for the board.
    """
    with TemporaryDirectory(prefix="edgeprof-wheels-") as scratch:
        places = platforms(board, link.host)
        found = [
            _fitting(need, board, link.host, places, source, Path(scratch), tell)
            for need in needed(board, wanted)
        ]
        _send(link, board, found, tell, say)
    return [wheel.title for wheel in found]


def needed(board: Board, wanted: Sequence[str]) -> list[str]:
    """What pip is asked for, each once."""
    found = dict.fromkeys(need for engine in wanted for need in NEEDS[engine])
    if board.python_is_at_least(3, 11):
        return [*found]
    return [FOR_EARLIER_PYTHON.get(need, need) for need in found]


def platforms(board: Board, host: str) -> list[str]:
    """Words for pip: the platforms whose wheels this board can run, the newest first."""
    if board.glibc is None or board.glibc < OLDEST_GLIBC:
        raise UserError(
            f"board {host} has {board.libc or 'no glibc'}, and wheels need glibc 2.{OLDEST_GLIBC} or later: install a "
            "system with it"
        )
    names = [f"manylinux_2_{minor}" for minor in range(board.glibc, OLDEST_GLIBC - 1, -1)]
    return [word for name in (*names, "manylinux2014") for word in ("--platform", f"{name}_{board.machine}")]


def _fitting(
    need: str, board: Board, host: str, places: Sequence[str], source: Path | None, scratch: Path, tell: Tell
) -> Wheel:
    """The newest wheel that fits the board, as pip finds it."""
    index = () if source is None else ("--no-index", "--find-links", str(source.resolve()))
    folder = Path(mkdtemp(dir=scratch))
    words = [*places, "--python-version", board.short_python, "--implementation", "cp", *index, need]
    ended = download(words, folder, lambda done, size: tell(f"pip downloads {need}", done, size))
    files = list(folder.glob("*.whl"))
    if ended.status != 0 or len(files) != 1:
        raise UserError(_why(need, ended, board, host, source))
    return checked(files[0])


def _why(need: str, ended: Ended, board: Board, host: str, source: Path | None) -> str:
    said = "\n".join(ended.errors)
    if source is None and any(sign in said for sign in UNREACHED):
        return f"pip reaches no package index for {need}: connect, or name a folder of wheels with --wheels"
    if "No matching distribution" not in said:
        return f"pip cannot download {need}: {shortened(last_error(ended))}"
    where = "your package index has" if source is None else f"--wheels {source.name} holds"
    there = f"Python {board.short_python} on {board.machine} with {board.libc}"
    other = "name another Python there with --board-python"
    remedy = other if source is None else f"lay one there, or {other}"
    return f"{where} no wheel of {need} for board {host} ({there}): {remedy}"


def checked(path: Path) -> Wheel:
    """A wheel whose files all lie below the folder that it is unpacked in. Raises `UserError` for any other archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, ValueError, EOFError) as error:
        raise UserError(f"{path.name} is no sound wheel ({error}): fetch it again") from None
    unpacked = sum(member.file_size for member in members)
    if len(members) > MOST_FILES or unpacked > MOST_BYTES:
        raise UserError(
            f"{path.name} claims {len(members):,} files of {unpacked:,} bytes: it is not unpacked on a board"
        )
    strange = next((member for member in members if not _is_plain(member)), None)
    if strange is not None:
        raise UserError(f"{path.name} holds {strange.filename!r}, as no wheel does: it is not unpacked")
    return Wheel(path=path, info=_info(path, members), sha256=sha256(path), unpacked=unpacked)


def _is_plain(member: zipfile.ZipInfo) -> bool:
    """A file or folder whose name leads nowhere else, packed as every Python can unpack it."""
    name = member.filename
    parts = name.rstrip("/").split("/")
    return (
        name.isprintable()
        and "\\" not in name
        and not {"", ".", ".."} & set(parts)
        and not stat.S_ISLNK(member.external_attr >> 16)
        and not member.flag_bits & 1
        and member.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    )


def _info(path: Path, members: Sequence[zipfile.ZipInfo]) -> str:
    folders = {member.filename.split("/")[0] for member in members}
    found = [folder for folder in folders if re.fullmatch(r"[\w.]+-[\w.!+]+\.dist-info", folder)]
    if len(found) != 1:
        raise UserError(f"{path.name} does not say what it is in one folder .dist-info: fetch it again")
    return found[0]


def _send(link: Link, board: Board, found: Sequence[Wheel], tell: Tell, say: Say) -> None:
    """Those that are not there yet, each as one file that the board unpacks."""
    folder = f"{board.folder}/{ENGINES}"
    there = link.ask("sizes", paths=[f"{folder}/{wheel.mark}" for wheel in found])
    missing = [wheel for wheel in found if there[f"{folder}/{wheel.mark}"] is None]
    needed = sum(wheel.path.stat().st_size + wheel.unpacked for wheel in missing)
    require_room(link, board, needed, " and ".join(wheel.title for wheel in missing))
    for wheel in found:
        if wheel not in missing:
            say(f"{wheel.title} is there already")
            continue
        say(f"{wheel.title}: {wheel.path.stat().st_size / 1e6:.1f} MB")
        packed = f"{board.folder}/{wheel.sha256[:16]}.whl"
        send(link, wheel.path, packed, partial(_tell, tell, wheel.title))
        link.ask("unpack", timeout_s=HASH_S, path=packed, to=folder, info=wheel.info, mark=wheel.mark)


def _tell(tell: Tell, title: str, _: str, done: int, size: int) -> None:
    """Names of wheels are too long for a line."""
    tell(f"{title} -> board", done, size)
