"""Walks forward through the header of a binary model file without believing any length it states."""

from __future__ import annotations

import os
from typing import BinaryIO

from profiler.builds.model_file import BadModelFile

MAX_HEADER_BYTES = 40 << 20
"""No header is longer, so that no model costs more than this to describe. The longest known ones have 20 MB."""

MAX_ENTRIES = 100_000
MAX_KEPT_BYTES = 16 << 20


class Cursor:
    """A position in a little-endian header; it never passes the end of the file nor MAX_HEADER_BYTES."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self.file = file
        self.name = name
        self.size = os.fstat(file.fileno()).st_size
        self.position = 0
        self.kept_bytes = 0

    def bad(self, found: str) -> BadModelFile:
        return BadModelFile(f"{self.name}: {found}.")

    def peek(self, count: int) -> bytes:
        """The first `count` bytes of the file, or all of a shorter one."""
        self.file.seek(0)
        head = self.file.read(count)
        self.file.seek(self.position)
        return head

    def read(self, count: int, what: str) -> bytes:
        self._advance(count, what)
        data = self.file.read(count)
        if len(data) < count:
            raise self._truncated(what)
        return data

    def skip(self, count: int, what: str) -> None:
        self._advance(count, what)
        self.file.seek(count, os.SEEK_CUR)

    def skip_strings(self, count: int, what: str) -> None:
        """Passes over `count` strings, each a u64 length and its bytes: up to a million in a vocabulary."""
        read, seek, end = self.file.read, self.file.seek, min(self.size, MAX_HEADER_BYTES)
        position = self.position
        for _ in range(count):
            length = int.from_bytes(read(8), "little")
            position += 8 + length
            if position > end:
                break
            seek(length, os.SEEK_CUR)
        self._advance(position - self.position, what)

    def u32(self, what: str) -> int:
        return int.from_bytes(self.read(4, what), "little")

    def u64(self, what: str) -> int:
        return int.from_bytes(self.read(8, what), "little")

    def count(self, what: str, smallest: int) -> int:
        """A number of entries that take at least `smallest` bytes each."""
        found = self.u64(f"the number of {what}")
        if found * smallest > self.size:
            raise self.bad(f"declares {found} {what}, more than its {self.size} bytes can hold")
        if found > MAX_ENTRIES:
            raise self.bad(f"declares {found} {what}; at most {MAX_ENTRIES} are accepted")
        return found

    def identifier(self, what: str, longest: int) -> str:
        """A name of 1 to `longest` bytes of UTF-8."""
        length = self.u64(what)
        if not 0 < length <= longest:
            raise self.bad(f"{what} is {length} bytes long; 1 to {longest} are accepted")
        try:
            return self.read(length, what).decode("utf-8")
        except UnicodeDecodeError:
            raise self.bad(f"{what} is not valid UTF-8") from None

    def keeps(self, count: int) -> bool:
        """Whether `count` more bytes may be kept in memory; they are then counted as kept."""
        if self.kept_bytes + count > MAX_KEPT_BYTES:
            return False
        self.kept_bytes += count
        return True

    def _advance(self, count: int, what: str) -> None:
        self.position += count
        if self.position > self.size:
            raise self._truncated(what)
        if self.position > MAX_HEADER_BYTES:
            raise self.bad(f"the header passes {MAX_HEADER_BYTES} bytes at {what}, more than any model needs")

    def _truncated(self, what: str) -> BadModelFile:
        return self.bad(f"truncated header: {what} does not fit in the {self.size} bytes of the file")
