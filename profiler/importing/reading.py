"""A file that another tool wrote: read whole, of bounded size, and known by its content."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from profiler.errors import UserError
from profiler.runfile.imported import ImportedFile
from profiler.whole_file import read_whole

LARGEST_FILE = 16 << 20
ADVICE = "give the file that the other tool wrote"
LONGEST_SHOWN = 80


class Foreign(msgspec.Struct, frozen=True):
    """The text of a file, and what a document says of it."""

    file: ImportedFile
    text: str


def read_file(path: Path) -> Foreign:
    """The file as text. Raises `UserError` for what is no regular file, too large, or not UTF-8."""
    name = (path.name or str(path)).encode("utf-8", "replace").decode()
    content = read_whole(path, name, LARGEST_FILE, ADVICE)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{name} is no text in UTF-8; {ADVICE}") from None
    found = ImportedFile(name=name, sha256=hashlib.sha256(content).hexdigest(), size_bytes=len(content))
    return Foreign(found, text)


def decoded_json(text: str, name: str) -> object:
    """What this JSON of the file called `name` says. Raises `UserError`."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise UserError(f"{name} is no whole JSON: {error}; a run that failed leaves such a file") from None


def base_name(path: str) -> str:
    """The last part of a path of any system: folders of others are nobody's business."""
    return path.replace("\\", "/").rstrip("/").rpartition("/")[2] or path


def short(text: str) -> str:
    """Text of a stranger as a sentence quotes it."""
    shown = " ".join(text.split())
    return shown if len(shown) <= LONGEST_SHOWN else shown[: LONGEST_SHOWN - 3] + "..."
