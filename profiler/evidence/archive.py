"""The archive of a bundle: a zip whose every byte follows from its members, so that it can be made again and compared.

Members are stored, not packed: the same bytes come out on every machine, and nothing can swell while it is read.
Nothing is ever unpacked onto a disk.
"""

from __future__ import annotations

import io
import itertools
import re
import struct
import zipfile
from collections.abc import Collection, Mapping

import msgspec

from profiler.errors import UserError

MOST_BYTES = 128 * 1024 * 1024
"""Of a whole bundle; it is held in memory."""
MOST_MEMBERS = 4096
NAME = r"^(?:(?:runs|plan|reports)/)?[A-Za-z0-9_][A-Za-z0-9._-]{0,79}\Z"
"""What a member may be called: no path out of the folder that it is unpacked into, by whatever tool."""

_EARLIEST = (1980, 1, 1, 0, 0, 0)
_ORDINARY_FILE = 0o100644 << 16
_UNIX = 3
_HEADER = struct.Struct("<4s5H3I2H")
_LONGEST_STEM = 60
_BLOCK = 64 * 1024


class Members(msgspec.Struct, frozen=True):
    """What was found from the first byte on: contents by name, where each ends, and names that came twice."""

    contents: dict[str, bytes]
    ends: dict[str, int]
    twice: list[str]


def pack(contents: Mapping[str, bytes]) -> bytes:
    """The archive of these members in this order. Raises `UserError` for more than a bundle may hold."""
    if sum(map(len, contents.values())) > MOST_BYTES or len(contents) > MOST_MEMBERS:
        raise UserError(
            f"a bundle holds up to {MOST_MEMBERS} files of {MOST_BYTES >> 20} MiB in all, and these are more: "
            "bundle fewer run files together"
        )
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name, content in contents.items():
            entry = zipfile.ZipInfo(name, _EARLIEST)
            entry.create_system, entry.external_attr = _UNIX, _ORDINARY_FILE
            archive.writestr(entry, content)
    return packed.getvalue()


def walk(packed: bytes) -> Members:
    """The members from the first byte on, as far as they are written as `pack` writes them."""
    found = Members({}, {}, [])
    at = 0
    while len(found.ends) + len(found.twice) <= MOST_MEMBERS and (member := _member(packed, at)) is not None:
        name, content, at = member
        if name in found.contents:
            found.twice.append(name)
        else:
            found.contents[name] = content
            found.ends[name] = at
    return found


def _member(packed: bytes, at: int) -> tuple[str, bytes, int] | None:
    """Name, content and end of the member that begins here."""
    if len(packed) - at < _HEADER.size:
        return None
    signature, _, flags, method, _, _, _, stored, size, name_length, extra = _HEADER.unpack_from(packed, at)
    begins = at + _HEADER.size + name_length
    ends = begins + size
    if signature != b"PK\x03\x04" or flags or method or extra or stored != size or ends > len(packed):
        return None
    name = packed[at + _HEADER.size : begins].decode("ascii", "replace")
    return (name, packed[begins:ends], ends) if re.match(NAME, name) else None


def first_difference(packed: bytes, expected: bytes, ends: Mapping[str, int]) -> str | None:
    """Where an archive is not what it should be, in words; None if it is byte for byte the same."""
    if packed == expected:
        return None
    shorter = min(len(packed), len(expected))
    block = next(
        (n for n in range(0, shorter, _BLOCK) if packed[n : n + _BLOCK] != expected[n : n + _BLOCK]), 0
    )
    at = next((n for n in range(block, shorter) if packed[n] != expected[n]), shorter)
    inside = next((name for name, end in ends.items() if at < end), None)
    return f"byte {at}, " + (f"in {inside}" if inside else "behind the last member")


def safe_stem(file_name: str, taken: Collection[str]) -> str:
    """The file's name without its suffix, in letters that every system accepts, and unlike all that are taken."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", re.sub(r"(?<=.)\.[a-z]{1,5}\Z", "", file_name))
    stem = plain.strip("-")[:_LONGEST_STEM] or "run"
    used = {name.casefold() for name in taken}
    numbered = (f"{stem}-{number}" for number in itertools.count(2))
    return next(name for name in itertools.chain([stem], numbered) if name.casefold() not in used)
