"""Text files in one archive: written so that it tells nothing else, unpacked as if a stranger had made it."""

from __future__ import annotations

import gzip
import io
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from profiler.errors import UserError

ENDINGS = (".tar.gz", ".zip")
MOST_FILES = 16_384
MOST_BYTES = 1024 * 1024
"""Of one file."""
MOST_BYTES_IN_ALL = 48 * 1024 * 1024
LONGEST_NAME = 512
DEEPEST = 32

_EARLIEST = (1980, 1, 1, 0, 0, 0)
_BROKEN = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError),
    *(NotImplementedError, OSError, OverflowError, LookupError, struct.error),
)


def write(path: Path, files: Mapping[str, str], folders: Sequence[str] = ()) -> None:
    """A new archive of `files` (text by name) and empty `folders`: no time, no user, no rights are in it.

    Raises `UserError` if the name ends in something else, is taken, or cannot be written.
    """
    if not path.name.endswith(ENDINGS):
        raise UserError(f"{path}: a capture is written as {' or '.join(ENDINGS)}; give a name that ends so")
    content = {name: text.encode() for name, text in sorted(files.items())}
    packed = _zip(content, folders) if path.suffix == ".zip" else _tar(content, folders)
    try:
        with path.open("xb") as file:
            file.write(packed)
    except FileExistsError:
        raise UserError(f"{path} is there already; choose another name with -o") from None
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}") from None


def _tar(files: Mapping[str, bytes], folders: Sequence[str]) -> bytes:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        for folder in folders:
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(entry)
        for name, raw in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(raw), 0o644
            archive.addfile(entry, io.BytesIO(raw))
    return gzip.compress(plain.getvalue(), mtime=0)


def _zip(files: Mapping[str, bytes], folders: Sequence[str]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for folder in folders:
            archive.writestr(zipfile.ZipInfo(f"{folder}/", _EARLIEST), b"")
        for name, raw in files.items():
            entry = zipfile.ZipInfo(name, _EARLIEST)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, raw)
    return packed.getvalue()


def unpack(path: Path, folder: Path, tops: Sequence[str]) -> Path:
    """The archive's files below `folder`, which must be new or empty; returns `folder`.

    Raises `UserError` for anything that `write` does not make: links, devices, names that lead elsewhere or
    begin with none of `tops`, one name twice, more or larger files than a capture has.
    """
    entries = list(_entries(path, tops))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise UserError(f"{folder} is not empty; give a new folder to unpack {path.name} into")
        for name, raw in entries:
            _place(folder / name, raw)
    except OSError as error:
        raise UserError(f"{path.name} cannot be unpacked into {folder}: {error.strerror}") from None
    return folder


def _place(target: Path, raw: bytes | None) -> None:
    if raw is None:
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as file:
        file.write(raw)


def _entries(path: Path, tops: Sequence[str]) -> Iterator[tuple[str, bytes | None]]:
    """Name and content, None for a folder, each checked."""
    total, count = 0, 0
    try:
        for name, size, raw in _raw_entries(path):
            _check_name(path, name, tops)
            total, count = total + size, count + 1
            if not 0 <= size <= MOST_BYTES or total > MOST_BYTES_IN_ALL or count > MOST_FILES:
                raise UserError(
                    f"{path.name} holds more than a capture does: up to {MOST_FILES} files of {MOST_BYTES} bytes"
                )
            yield name.rstrip("/"), raw
    except _BROKEN:
        raise UserError(
            f"{path.name} is no whole archive; accepted is what edgeprof capture wrote ({', '.join(ENDINGS)})"
        ) from None


def _check_name(path: Path, name: str, tops: Sequence[str]) -> None:
    parts = PurePosixPath(name).parts
    if (
        not name.isprintable()
        or "\\" in name
        or not 0 < len(name) <= LONGEST_NAME
        or not 0 < len(parts) <= DEEPEST
        or ".." in parts
        or parts[0] not in tops
    ):
        raise UserError(f"{path.name} holds a file called {name[:80]!r}, which no capture has; do not use it")


def _raw_entries(path: Path) -> Iterator[tuple[str, int, bytes | None]]:
    """Name, size and content as the archive has them; never more than the limits is read."""
    packed = _read(path)
    if path.suffix == ".zip":
        yield from _zip_entries(path, packed)
    else:
        with gzip.GzipFile(fileobj=io.BytesIO(packed)) as file:
            plain = file.read(2 * MOST_BYTES_IN_ALL)
        yield from _tar_entries(path, plain)


def _read(path: Path) -> bytes:
    if not path.is_file():
        raise UserError(f"{path}: no such file; give an archive that edgeprof capture wrote")
    try:
        with path.open("rb") as file:
            return file.read(MOST_BYTES_IN_ALL)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None


def _tar_entries(path: Path, plain: bytes) -> Iterator[tuple[str, int, bytes | None]]:
    with tarfile.open(fileobj=io.BytesIO(plain), mode="r:") as archive:
        for entry in archive:
            if not entry.isreg() and not entry.isdir():
                raise _odd(path, entry.name)
            file = archive.extractfile(entry) if entry.isreg() else None
            yield entry.name, entry.size, file.read(MOST_BYTES + 1) if file else None


def _zip_entries(path: Path, packed: bytes) -> Iterator[tuple[str, int, bytes | None]]:
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        for entry in archive.infolist():
            kind = stat.S_IFMT(entry.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR) or entry.compress_type not in (
                0,
                zipfile.ZIP_DEFLATED,
            ):
                raise _odd(path, entry.filename)
            if entry.is_dir():
                yield entry.filename, 0, None
                continue
            with archive.open(entry) as file:
                raw = file.read(MOST_BYTES + 1)
            yield entry.filename, len(raw), raw


def _odd(path: Path, name: str) -> UserError:
    return UserError(f"{path.name} holds {name[:80]!r}, which is no plain file; a capture has only those")
