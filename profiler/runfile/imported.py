"""Figures that another tool measured: a document of one line, which says where they come from.

It keeps one value for each process, as the tool stated it, and every field of the tool that was refused, with the
reason. There are no stamps, so nothing in it can be computed again. No path is in it, only names of files.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec

from profiler.errors import UserError
from profiler.runfile.fields import (
    IMPORTED_SCHEMA,
    LARGEST_READING,
    MOST_CASES,
    Name,
    Natural,
    NotNegative,
    Record,
    Settings,
)
from profiler.runfile.lines import LONGEST_LINE
from profiler.runfile.planned import Build, Device, Workload

MOST_FILES = 200
MOST_REFUSED = 1000

Figure = Annotated[float, msgspec.Meta(gt=0, le=LARGEST_READING)]
Sha256 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]


class ImportedFile(Record, frozen=True, kw_only=True):
    """A file of the other tool: its name without folders, and its content."""

    name: Name
    sha256: Sha256
    size_bytes: Natural


class Stated(Record, frozen=True, kw_only=True):
    """What one process of the other tool states of one metric, in the metric's own unit.

    `file` is the place of its file in the document, `repetitions` and `deviation` are those inside the process.
    """

    file: Natural
    value: Figure
    repetitions: Natural | None = None
    deviation: NotNegative | None = None


class Remark(Record, frozen=True, kw_only=True):
    """What to know of a row: a code for scripts, what was seen, and advice."""

    code: str
    seen: str
    advice: str


class ImportedRow(Record, frozen=True, kw_only=True):
    """One case of the other tool. `figures` has the statements of its processes by the name of our metric."""

    id: str
    build: str
    engine: str
    target: str
    settings: Settings
    workload: Workload
    figures: dict[str, Annotated[list[Stated], msgspec.Meta(min_length=1, max_length=MOST_FILES)]]
    remarks: list[Remark]


class Refused(Record, frozen=True, kw_only=True):
    """What of the other tool's figures is not taken over, and why."""

    what: str
    reason: str


class Origin(Record, frozen=True, kw_only=True):
    """Where the figures come from. `version` is the tool's own word for its version or commit.

    `taken` says of each of our metrics what of the tool's it is.
    """

    tool: str
    version: str
    files: Annotated[list[ImportedFile], msgspec.Meta(min_length=1, max_length=MOST_FILES)]
    taken: dict[str, str]
    refused: Annotated[list[Refused], msgspec.Meta(max_length=MOST_REFUSED)]


class Imported(Record, frozen=True, kw_only=True):
    """The whole document."""

    type: Literal["imported"] = "imported"
    schema: str = IMPORTED_SCHEMA
    edgeprof: str
    origin: Origin
    device: Device
    builds: Annotated[list[Build], msgspec.Meta(min_length=1, max_length=MOST_CASES)]
    rows: Annotated[list[ImportedRow], msgspec.Meta(min_length=1, max_length=MOST_CASES)]


class _Kind(msgspec.Struct):
    schema: str = ""


def is_imported(path: Path) -> bool:
    """Whether the first line of this file says that it holds imported figures; False for what cannot be read."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return _schema(file.readline(LONGEST_LINE)) == IMPORTED_SCHEMA
    except OSError:
        return False


def holds_imported(content: bytes) -> bool:
    """The same of a file's bytes."""
    return _schema(content.partition(b"\n")[0][:LONGEST_LINE]) == IMPORTED_SCHEMA


def read_imported(path: Path) -> Imported:
    """The document in a file, strictly decoded. Raises `UserError` in one sentence."""
    try:
        with path.open("rb") as file:
            return decode_imported(path.name, file.readline(LONGEST_LINE) + file.read(1))
    except OSError as error:
        raise UserError(f"{path.name} cannot be read: {error.strerror}") from None


def decode_imported(name: str, content: bytes) -> Imported:
    """The same of a file's bytes; `name` is what a refusal calls them."""
    line, _, more = content.partition(b"\n")
    if more:
        raise UserError(f"{name} has more than the one line of imported figures: import them anew")
    try:
        return msgspec.json.decode(line, type=Imported)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(f"{name} holds no imported figures: {error}; import them anew") from None


def encoded(document: Imported) -> str:
    """The document as the one line that `read_imported` reads. Raises `UserError` for one that it would refuse."""
    line = msgspec.json.encode(document)
    try:
        msgspec.json.decode(line, type=Imported)
    except msgspec.ValidationError as error:
        raise UserError(
            f"these figures cannot be imported: {error}; shorten it in the other tool's file"
        ) from None
    return line.decode() + "\n"


def _schema(line: bytes) -> str:
    try:
        return msgspec.json.decode(line, type=_Kind).schema
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""
