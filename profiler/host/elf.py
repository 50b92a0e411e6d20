"""The .comment section of an ELF file, in which every compiler of its parts leaves its name."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

from profiler.host.kernel_files import UnreadableError, printable

MOST_SECTIONS = 1024
MOST_BYTES = 64 * 1024
LONGEST_COMMENT = 120
MOST_COMMENTS = 8

_ORDERS = {1: "<", 2: ">"}
_LAYOUTS = {1: ("HHIIIIIHHHHHH", "IIIIIIIIII"), 2: ("HHIQQQIHHHHHH", "IIQQQQIIQQ")}
"""By class (32 and 64 bits): the header after its first 16 bytes, and one entry of the section table."""


def comments(path: Path) -> tuple[str, ...]:
    """The texts of the section, as in `GCC: (Debian 12.2.0-14) 12.2.0`. Reads little, however large the file.

    Raises `UnreadableError` for what is no ELF file, has no such section or contradicts itself.
    """
    try:
        with path.open("rb") as file:
            section = _section(file, b".comment")
    except (OSError, OverflowError, ValueError, struct.error):
        raise UnreadableError(f"{path.name}: cannot be read as an ELF file") from None
    texts = (" ".join(printable(text).split())[:LONGEST_COMMENT] for text in section.split(b"\0"))
    found = tuple(dict.fromkeys(text for text in texts if text))[:MOST_COMMENTS]
    if not found:
        raise UnreadableError(f"{path.name}: names no compiler")
    return found


def _section(file: BinaryIO, wanted: bytes) -> bytes:
    """The first bytes of the section called `wanted`; none where there is no such section."""
    start = file.read(16)
    if start[:4] != b"\x7fELF" or start[4] not in _LAYOUTS or start[5] not in _ORDERS:
        raise ValueError("no ELF file")
    header, entry = (_ORDERS[start[5]] + layout for layout in _LAYOUTS[start[4]])
    fields = struct.unpack(header, file.read(struct.calcsize(header)))
    table_at, entry_size, count, names_place = fields[5], fields[10], fields[11], fields[12]
    if entry_size != struct.calcsize(entry) or not names_place < count <= MOST_SECTIONS:
        raise ValueError("no table of sections that we read")
    file.seek(table_at)
    sections = [struct.unpack(entry, file.read(entry_size)) for _ in range(count)]
    names = _bytes_of(file, sections[names_place])
    for section in sections:
        if names[section[0] :].partition(b"\0")[0] == wanted:
            return _bytes_of(file, section)
    return b""


def _bytes_of(file: BinaryIO, section: tuple[int, ...]) -> bytes:
    file.seek(section[4])
    return file.read(min(section[5], MOST_BYTES))
