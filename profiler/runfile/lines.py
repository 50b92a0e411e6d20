"""The lines of a run file: appended one by one, read strictly, whoever wrote them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO, FileIO
from pathlib import Path
from typing import BinaryIO, TypeVar

import msgspec

from profiler.errors import UserError
from profiler.runfile.fields import IMPORTED_SCHEMA, MOST_BOARDS, SCHEMA, Record
from profiler.runfile.profiled import Profile
from profiler.runfile.records import Event, Hashes, Header, Returned, Run, Worker
from profiler.runfile.sensed import Idle, PowerLog

LONGEST_LINE = 64 * 1024 * 1024

LONGEST_FIRST_FIELD = 100

_FIRST_FIELD = re.compile(rb'\{"type":"([a-z_]+)",')

T = TypeVar("T")


def append(file: FileIO, record: Record) -> None:
    """Write one record as one line and wait until it is on the disk.

    Raises `UserError` when it cannot be written; what was written before stays readable.
    """
    rest = msgspec.json.encode(record) + b"\n"
    try:
        while rest:
            rest = rest[file.write(rest) :]
        os.fsync(file.fileno())
    except OSError as error:
        raise UserError(
            f"the run file could not be written ({error.strerror}): make room, then go on with "
            f"--resume {os.fspath(file.name)}"
        ) from None


def read(path: Path) -> Run:
    """The one run of a file, strictly decoded. A torn last line is dropped and noted.

    `night.jsonl#cooled` is that of one board of several. Raises `UserError` where several are there and none is named.
    """
    found = read_named(path)
    if len(found) > 1:
        names = ", ".join(found)
        raise UserError(f"{_name(path)} holds the runs of {len(found)} boards: name one of {names}")
    return next(iter(found.values()))


def read_named(path: Path) -> dict[str, Run]:
    """The runs of a file by the names that reports give them: `night.jsonl#cooled` where it has several boards."""
    file, board = picked(path)
    return named(file, board, read_boards(file))


def named(file: Path, board: str | None, runs: Mapping[str, T]) -> dict[str, T]:
    """What belongs to the boards of a file, by the names that reports give them; only one if one was picked."""
    if board is not None and board not in runs:
        raise UserError(f"{_name(file)} has no run of board {board!r}, it has those of {', '.join(runs)}")
    found = {board: runs[board]} if board is not None else runs
    return {f"{file.name}#{one}" if len(runs) > 1 else file.name: run for one, run in found.items()}


def picked(path: Path) -> tuple[Path, str | None]:
    """A file, and the board that is named behind a #. A file whose own name has one is found first."""
    name, mark, board = path.name.rpartition("#")
    return (path.with_name(name), board) if mark and name and not path.exists() else (path, None)


def read_boards(path: Path) -> dict[str, Run]:
    """The runs of a file by what their boards are called there."""
    return _decoded(path, _lines(path))


def is_run(path: Path) -> bool:
    """Whether this file begins as those that `append` writes; False for what cannot be read."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            first = _FIRST_FIELD.match(file.read(LONGEST_FIRST_FIELD))
    except OSError:
        return False
    return first is not None and first[1] == b"header"


def decode(name: str, content: bytes) -> Run:
    """The one run of a file's bytes; `name` is what a refusal calls them."""
    runs = _decoded(Path(name), _bounded(Path(name), BytesIO(content)))
    if len(runs) > 1:
        raise UserError(f"{name} holds the runs of {len(runs)} boards, where one is accepted")
    return next(iter(runs.values()))


def split(name: str, content: bytes) -> dict[str, bytes]:
    """The bytes of a run file, for each of its boards those of a file of its own."""
    path, parts = Path(name), dict[str, list[bytes]]()
    for line in _of_boards(path, _bounded(path, BytesIO(content))):
        parts.setdefault(line.board, []).append(line.content)
    return {board: b"".join(lines) for board, lines in parts.items()}


class _Line(msgspec.Struct, frozen=True):
    """One line and the board whose run it belongs to. `header` is set where it begins that run."""

    board: str
    number: int
    content: bytes
    header: Header | None = None


def _of_boards(path: Path, found: Iterator[bytes]) -> Iterator[_Line]:
    """The lines of a file that belong to runs; those that say which run goes on are left out."""
    known: list[str] = []
    board = ""
    for number, line in enumerate(found, start=1):
        if not line.endswith(b"\n"):
            if number > 1:
                yield _Line(board, number, line)
            break
        kind = "header" if number == 1 else _type(path, number, line)
        if kind == "header":
            header = _header(path, number, line)
            board = header.device.called
            _refuse_another(path, number, board, known)
            known.append(board)
            yield _Line(board, number, line, header)
        elif kind == "returned":
            board = _decode(path, number, line, Returned).board
            if board not in known:
                raise _refusal(path, number, f"it goes on with board {board!r}, which has no header before")
        else:
            yield _Line(board, number, line)
    if not known:
        raise UserError(f"{_name(path)} holds no run, not even its header line: delete it and start anew")


def _refuse_another(path: Path, number: int, board: str, known: Sequence[str]) -> None:
    if board in known:
        raise _refusal(path, number, f"board {board!r} has a header before")
    if len(known) >= MOST_BOARDS:
        raise _refusal(path, number, f"it is the header of a board beyond {MOST_BOARDS}")


def _decoded(path: Path, found: Iterator[bytes]) -> dict[str, Run]:
    runs: dict[str, Run] = {}
    for line in _of_boards(path, found):
        if line.header is not None:
            runs[line.board] = Run(header=line.header, workers=[], events=[], sha256={})
        elif line.content.endswith(b"\n"):
            runs[line.board] = _with(runs[line.board], path, line.number, line.content)
        else:
            runs[line.board] = msgspec.structs.replace(runs[line.board], torn=True)
    return runs


def _with(run: Run, path: Path, number: int, line: bytes) -> Run:
    """The run with what one more line says."""
    match _type(path, number, line):
        case "worker":
            run.workers.append(_decode(path, number, line, Worker))
        case "event":
            run.events.append(_decode(path, number, line, Event))
        case "idle":
            run.idle.append(_decode(path, number, line, Idle))
        case "profile":
            run.profiles.append(_decode(path, number, line, Profile))
        case "hashes":
            found = _decode(path, number, line, Hashes).sha256
            _refuse_other_content(path, number, run.sha256, found)
            run.sha256.update(found)
        case "power_log":
            return msgspec.structs.replace(run, power_log=_decode(path, number, line, PowerLog))
        case other:
            raise _refusal(path, number, f"{other!r} is no record that this version knows")
    return run


def _refuse_other_content(path: Path, number: int, before: dict[str, str], now: dict[str, str]) -> None:
    """A run that was resumed with another file under the same name mixes two models."""
    changed = min((build for build in before if now.get(build, before[build]) != before[build]), default=None)
    if changed is not None:
        raise _refusal(path, number, f"the content of build {changed!r} is not what it was before")


def _name(path: Path) -> str:
    return path.name or str(path)


def _lines(path: Path) -> Iterator[bytes]:
    """The lines with their ends; a torn last line has none."""
    try:
        if path.exists() and not path.is_file():
            raise UserError(f"{_name(path)} is a folder or a device, not a run file")
        with path.open("rb") as file:
            yield from _bounded(path, file)
    except OSError as error:
        raise UserError(f"{_name(path)} cannot be read: {error.strerror}") from None


def _bounded(path: Path, file: BinaryIO) -> Iterator[bytes]:
    while line := file.readline(LONGEST_LINE + 1):
        if len(line) > LONGEST_LINE:
            raise UserError(f"{_name(path)} is no run file: it has a line of more than {LONGEST_LINE} bytes")
        yield line


class _Kind(msgspec.Struct):
    type: str
    schema: str | None = None


def _type(path: Path, number: int, line: bytes) -> str:
    """The type of a record, which stands first in the lines that we write: they need not be read twice."""
    first = _FIRST_FIELD.match(line)
    return first[1].decode() if first else _kind(path, number, line).type


def _kind(path: Path, number: int, line: bytes) -> _Kind:
    return _decode(path, number, line, _Kind)


def _header(path: Path, number: int, line: bytes) -> Header:
    kind = _kind(path, number, line)
    if kind.schema == IMPORTED_SCHEMA:
        raise UserError(
            f"{_name(path)} holds figures imported from another tool, which have no rounds and no stamps: "
            "edgeprof report shows them, also beside runs, but they cannot be compared or explained"
        )
    if kind.type != "header":
        raise _refusal(path, number, f"{kind.type!r} is not the header of a run file")
    if kind.schema != SCHEMA:
        raise UserError(
            f"{_name(path)} has schema {kind.schema!r}; this version reads {SCHEMA!r}: use the one that wrote it"
        )
    return _decode(path, number, line, Header)


def _decode(path: Path, number: int, line: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(line, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _refusal(path, number, str(error)) from None


def _refusal(path: Path, number: int, found: str) -> UserError:
    accepted = "; accepted is what `edgeprof run` or `edgeprof import` wrote" if number == 1 else ""
    return UserError(f"{_name(path)} line {number} is not part of a run file: {found}{accepted}")
