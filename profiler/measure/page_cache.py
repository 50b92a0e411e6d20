"""The page cache: how much of a build lies in it, and sending a build out of it before a cold start.

It goes to boards too: the standard library alone, Python 3.9.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, Optional

CACHESTAT = 451
"""A system call of Linux from 6.5 on, under one number on these:"""
CACHESTAT_MACHINES = ("x86_64", "i686", "aarch64", "armv7l", "armv8l", "riscv64")

PIECE_BYTES = 64 * 1024 * 1024
"""Of a file that is mapped at once: a whole model may be more than a small board lets a process map."""

TRIES = 3
"""A page that is in use just now stays; a moment later it goes."""

UNKNOWN = (
    "it was sent out of the page cache, but whether it went cannot be read here: that takes Linux 6.5 "
    "and a file that this user may write"
)


class Eviction(NamedTuple):
    """Whether nothing of a build is left in the page cache, and if that is not so or not known, why."""

    evicted: bool
    reason: str | None = None


class _UnreadableError(Exception):
    """The kernel does not say what it keeps of a file, or says it of another one."""


class _Range(ctypes.Structure):
    _fields_ = (("offset", ctypes.c_uint64), ("length", ctypes.c_uint64))


class _Pages(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint64) for name in ("cached", "dirty", "written", "evicted", "recent"))


def files_of(build: Path) -> list[Path]:
    """The file of a build, or every file of its folder: a graph keeps its weights in files beside it."""
    return sorted(file for file in build.rglob("*") if file.is_file()) if build.is_dir() else [build]


def evict(build: Path) -> Eviction:
    """Send a build out of the page cache, and look whether it went."""
    if not hasattr(os, "posix_fadvise"):
        return Eviction(evicted=False, reason="this system has no call that sends a file out of its cache")
    share = None
    for _ in range(TRIES):
        try:
            for file in files_of(build):
                _send_out(file)
        except OSError as error:
            return Eviction(evicted=False, reason=f"it cannot be read to be sent out ({error.strerror})")
        share = cached_share(build)
        if share == 0:
            return Eviction(evicted=True)
    return Eviction(evicted=False, reason=UNKNOWN if share is None else _stayed(share))


def _stayed(share: float) -> str:
    return (
        f"{max(share, 0.01):.0%} of it stayed in the page cache: another process has it mapped, "
        "or its file system keeps its files in memory"
    )


def _send_out(file: Path) -> None:
    """What is not on the disk yet cannot go; where a file may only be read, syncing it may be refused."""
    with _opened(file) as handle:
        with suppress(OSError):
            os.fsync(handle)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)


def cached_share(build: Path) -> float | None:
    """The share of a build's pages that lie in the page cache, or None where this cannot be read.

    A file that shrinks meanwhile cannot be mapped, which is a ValueError.
    """
    try:
        counts = [_pages(file) for file in files_of(build)]
    except (OSError, ValueError, _UnreadableError):
        return None
    total = sum(pages for _, pages in counts)
    return min(1.0, sum(cached for cached, _ in counts) / total) if total else None


def _pages(file: Path) -> tuple[int, int]:
    """Pages of a file that are cached, and all of its pages."""
    with _opened(file) as handle:
        size = os.fstat(handle).st_size
        if not size:
            return 0, 0
        cached = _cached_pages(file, handle, size)
        return cached, -(-size // mmap.PAGESIZE)


def _cached_pages(file: Path, handle: int, size: int) -> int:
    """By the first of two accounts that is true. One that sees nothing must see a page that was just read.

    A layered file system (containers) or one with a cache of its own would otherwise pass for an empty cache.
    """
    for count in (_by_cachestat, _by_mincore):
        cached = count(file, handle, size)
        if cached is not None and (cached or _sees_a_read(count, file, handle, size)):
            return cached
    raise _UnreadableError


Count = Callable[[Path, int, int], Optional[int]]


def _sees_a_read(count: Count, file: Path, handle: int, size: int) -> bool:
    os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_RANDOM)
    os.pread(handle, 1, 0)
    seen = count(file, handle, size)
    os.posix_fadvise(handle, 0, mmap.PAGESIZE, os.POSIX_FADV_DONTNEED)
    return bool(seen)


def _by_cachestat(_file: Path, handle: int, _size: int) -> int | None:
    if platform.system() != "Linux" or platform.machine() not in CACHESTAT_MACHINES:
        return None
    whole, pages = _Range(0, 0), _Pages()
    failed = ctypes.CDLL(None).syscall(CACHESTAT, handle, ctypes.byref(whole), ctypes.byref(pages), 0)
    return None if failed else int(pages.cached)


def _by_mincore(file: Path, handle: int, size: int) -> int | None:
    """Of a file that the caller may not write, mincore calls every page cached."""
    if platform.system() != "Linux":
        return None
    may_write = os.access(file, os.W_OK, effective_ids=os.access in os.supports_effective_ids)
    if not may_write and os.fstat(handle).st_uid != os.geteuid():
        return None
    pieces = range(0, size, PIECE_BYTES)
    counts = [_of_piece(handle, start, min(PIECE_BYTES, size - start)) for start in pieces]
    return sum(counts)


def _of_piece(handle: int, start: int, length: int) -> int:
    """Mapping a file reads none of it. Each byte that mincore writes stands for one page: 1 for a cached one."""
    seen = ctypes.create_string_buffer(-(-length // mmap.PAGESIZE))
    with mmap.mmap(handle, length, access=mmap.ACCESS_COPY, offset=start) as view:
        begin = ctypes.c_char.from_buffer(view)
        try:
            failed = ctypes.CDLL(None).mincore(
                ctypes.c_void_p(ctypes.addressof(begin)), ctypes.c_size_t(length), seen
            )
        finally:
            del begin
    if failed:
        raise _UnreadableError
    return seen.raw.count(b"\1")


@contextmanager
def _opened(file: Path) -> Iterator[int]:
    handle = os.open(file, os.O_RDONLY)
    try:
        yield handle
    finally:
        os.close(handle)
