"""The lines of a run file: appended one by one, read strictly, whoever wrote them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from io import BytesIO, FileIO
from pathlib import Path
from typing import BinaryIO, TypeVar

import msgspec

from profiler.errors import UserError
from profiler.runfile.fields import IMPORTED_SCHEMA, SCHEMA, Record
from profiler.runfile.profiled import Profile
from profiler.runfile.records import Event, Hashes, Header, Run, Worker
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
    """A run file, strictly decoded. A torn last line is dropped and noted."""
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
    """The same of a run file's bytes; `name` is what a refusal calls them."""
    return _decoded(Path(name), _bounded(Path(name), BytesIO(content)))


def _decoded(path: Path, found: Iterator[bytes]) -> Run:
    lines = enumerate(found, start=1)
    _, first = next(lines, (1, b""))
    if not first.endswith(b"\n"):
        raise UserError(f"{_name(path)} holds no run, not even its header line: delete it and start anew")
    header = _header(path, first)
    run = Run(header=header, workers=[], events=[], sha256={})
    for number, line in lines:
        if not line.endswith(b"\n"):
            return msgspec.structs.replace(run, torn=True)
        run = _with(run, path, number, line)
    return run


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


def _header(path: Path, line: bytes) -> Header:
    kind = _kind(path, 1, line)
    if kind.schema == IMPORTED_SCHEMA:
        raise UserError(
            f"{_name(path)} holds figures imported from another tool, which have no rounds and no stamps: "
            "edgeprof report shows them, also beside runs, but they cannot be compared or explained"
        )
    if kind.type != "header":
        raise _refusal(path, 1, f"{kind.type!r} is not the header of a run file")
    if kind.schema != SCHEMA:
        raise UserError(
            f"{_name(path)} has schema {kind.schema!r}; this version reads {SCHEMA!r}: use the one that wrote it"
        )
    return _decode(path, 1, line, Header)


def _decode(path: Path, number: int, line: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(line, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _refusal(path, number, str(error)) from None


def _refusal(path: Path, number: int, found: str) -> UserError:
    accepted = "; accepted is what `edgeprof run` or `edgeprof import` wrote" if number == 1 else ""
    return UserError(f"{_name(path)} line {number} is not part of a run file: {found}{accepted}")
