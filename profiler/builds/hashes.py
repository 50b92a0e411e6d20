"""SHA-256 of model files, remembered by device, inode, size and time of change."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
import platformdirs

from profiler.errors import UserError

_MOST_REMEMBERED = 1000


def sha256(path: Path, cache: Path | None = None) -> str:
    """The hash of a file's content, read again unless the same file was hashed before and has not changed."""
    cache = cache or platformdirs.user_cache_path("edgeprof") / "sha256.json"
    try:
        known = _remembered(cache)
        identity = _identity(path)
        if identity not in known:
            with path.open("rb") as file:
                known[identity] = hashlib.file_digest(file, "sha256").hexdigest()
            _remember(cache, known)
    except OSError as error:
        raise UserError(f"{path.name} cannot be read for its hash: {error.strerror}") from None
    return known[identity]


def build_sha256(path: Path) -> str:
    """The hash of a build: of a file its content, of a folder the list of its files with the hash of each."""
    if not path.is_dir():
        return sha256(path)
    files = sorted(file for file in path.rglob("*") if file.is_file())
    lines = [f"{sha256(file)}  {file.relative_to(path).as_posix()}\n" for file in files]
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def _identity(path: Path) -> str:
    found = path.stat()
    return f"{found.st_dev}:{found.st_ino}:{found.st_size}:{found.st_mtime_ns}"


def _remembered(cache: Path) -> dict[str, str]:
    try:
        return msgspec.json.decode(cache.read_bytes(), type=dict[str, str])
    except (OSError, UnicodeDecodeError, msgspec.MsgspecError):
        return {}


def _remember(cache: Path, known: dict[str, str]) -> None:
    """Keep the newest hashes. A cache that cannot be written costs time, nothing else."""
    newest = dict(list(known.items())[-_MOST_REMEMBERED:])
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        cache.write_bytes(msgspec.json.encode(newest))
    except OSError:
        return
