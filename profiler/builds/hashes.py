"""SHA-256 of model files, remembered by device, inode, size and both times of change.

The time that the kernel keeps of a change (ctime) cannot be set back, unlike the other.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
import platformdirs

from profiler.errors import UserError

_MOST_REMEMBERED = 1000


def sha256(path: Path, cache: Path | None = None) -> str:
    """The hash of a file's content, read again unless the same file was hashed before and has not changed."""
    cache = cache or _cache()
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


def renamed(path: Path, digest: str) -> None:
    """Remember the hash of a file that was hashed under another name: a rename changes its times, not its content."""
    known = _remembered(_cache())
    known[_identity(path)] = digest
    _remember(_cache(), known)


def build_sha256(path: Path) -> str:
    """The hash of a build: of a file its content, of a folder the list of its files with the hash of each."""
    if not path.is_dir():
        return sha256(path)
    files = sorted(file for file in path.rglob("*") if file.is_file())
    lines = [f"{sha256(file)}  {file.relative_to(path).as_posix()}\n" for file in files]
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def _cache() -> Path:
    return platformdirs.user_cache_path("edgeprof") / "sha256.json"


def _identity(path: Path) -> str:
    found = path.stat()
    return f"{found.st_dev}:{found.st_ino}:{found.st_size}:{found.st_mtime_ns}:{found.st_ctime_ns}"


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
