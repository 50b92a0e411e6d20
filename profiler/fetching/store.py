"""Where fetched models lie: each beside a record of what it was when it came."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import platformdirs

from profiler.builds.gguf import is_gguf, read_header
from profiler.builds.hashes import renamed, sha256
from profiler.builds.model_file import BadModelFile, is_file, shown_name
from profiler.catalogue.models import KnownBuild
from profiler.errors import UserError
from profiler.fetching.disk import beside, replace_json
from profiler.fetching.partial import discard, settle
from profiler.fetching.words import Authority, Expected, Wanted, plain_name

SCHEMA = "edgeprof.fetched/1"
_LARGEST_RECORD = 64 << 10


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was fetched. `verified_against` is who stated its hash beforehand, None if nobody did.

    `fetched` is when it came, or was found to be right, in UTC.
    """

    schema: str = SCHEMA
    source: str
    size_bytes: int
    sha256: str
    verified_against: Authority | None
    fetched: str


def models_folder() -> Path:
    """The folder that holds the fetched models."""
    return platformdirs.user_cache_path("edgeprof") / "models"


def fetched(build: KnownBuild) -> Path | None:
    """The file of a known build, or None if it was not fetched.

    It is read for its hash unless it has not changed since the last time. Raises `UserError` for a file that is
    not what the catalogue states.
    """
    path = models_folder() / (plain_name(build.file) or "")
    if not os.path.lexists(path):
        return None
    if not is_file(path) or path.stat().st_size != build.size_bytes or sha256(path) != build.sha256:
        raise UserError(
            f"{path} is not the build {build.id} as the catalogue states it: remove it, then edgeprof fetch {build.id}"
        )
    return path


def refuse_changed(path: Path) -> None:
    """Raises `UserError` for a file that was fetched and has changed since; it is not read if its times say no."""
    record = read_record(path)
    if record is not None and is_file(path) and sha256(path) != record.sha256:
        raise UserError(
            f"{path} has changed since it was fetched on {record.fetched[:10]}: remove it and fetch it again"
        )


def intact(path: Path, wanted: Wanted) -> Record | None:
    """The record of the wanted file if it is there as it should be; None if nothing is there.

    Raises `UserError` for any other file: none is ever replaced.
    """
    if not os.path.lexists(path):
        return None
    if not is_file(path):
        raise UserError(f"{path} is there and is no file: choose another name with -o")
    record = read_record(path)
    if wanted.expected.sha256 is not None:
        return _as_expected(path, wanted, record)
    if record is None or record.source != wanted.said:
        where = f"came from {record.source}" if record else "was not fetched by edgeprof"
        raise UserError(f"{path} is there already and {where}: choose another name with -o, or remove it")
    refuse_changed(path)
    return record


def _as_expected(path: Path, wanted: Wanted, before: Record | None) -> Record:
    """The record of a file whose hash was known beforehand; it is renewed where another authority states it now."""
    expected, found = wanted.expected, sha256(path)
    if found != expected.sha256:
        raise UserError(
            f"{path} is there and its sha256 is {found}, not {expected.sha256} as {expected.stater} states: "
            "remove it and fetch it again, or choose another name with -o"
        )
    is_same = before is not None and before.sha256 == found
    if before is not None and is_same and before.verified_against == expected.authority:
        return before
    record = _record(path, wanted, expected, found)
    if before is not None and is_same:
        record = msgspec.structs.replace(record, fetched=before.fetched)
    write_record(path, record)
    return record


def finish(part: Path, target: Path, wanted: Wanted, expected: Expected) -> Record:
    """Give the whole file at `part` its name, if it is what is expected; else remove it and raise `UserError`."""
    try:
        found = sha256(part)
        _refuse_other(part, target, expected, found)
        if expected.sha256 is None:
            _refuse_unsound(part, target)
    except UserError:
        discard(part)
        raise
    if os.path.lexists(target):
        raise UserError(f"{target} has appeared meanwhile: choose another name with -o, or remove it")
    record = _record(part, wanted, expected, found)
    write_record(target, record)
    settle(part, target)
    renamed(target, found)
    return record


def _refuse_other(part: Path, target: Path, expected: Expected, found: str) -> None:
    size, stated = part.stat().st_size, expected.size_bytes
    if stated is not None and size != stated:
        raise UserError(
            f"{shown_name(target)} came with {size:,} bytes, not {stated:,} as {expected.stater} states: "
            "it was deleted"
        )
    if expected.sha256 not in (None, found):
        raise UserError(
            f"{shown_name(target)} came with the sha256 {found}, not {expected.sha256} as {expected.stater} "
            "states: it was deleted"
        )


def _refuse_unsound(part: Path, target: Path) -> None:
    """Without a hash to go by, a GGUF file must at least be as long as its own header says."""
    if target.suffix.lower() != ".gguf" and not is_gguf(part):
        return
    try:
        read_header(part)
    except BadModelFile as error:
        reason = str(error).partition(": ")[2].rstrip(".")
        raise UserError(f"what came as {shown_name(target)} was deleted: {reason}") from None


def _record(file: Path, wanted: Wanted, expected: Expected, found: str) -> Record:
    return Record(
        source=wanted.said,
        size_bytes=file.stat().st_size,
        sha256=found,
        verified_against=expected.authority if expected.sha256 else None,
        fetched=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def read_record(path: Path) -> Record | None:
    """The record beside the model at `path`; None without one, or with one that is not of our making."""
    try:
        with beside(path, ".edgeprof.json").open("rb") as file:
            found = msgspec.json.decode(file.read(_LARGEST_RECORD), type=Record)
    except (OSError, UnicodeDecodeError, msgspec.MsgspecError, RecursionError):
        return None
    is_ours = found.schema == SCHEMA and found.source.isprintable() and found.fetched.isprintable()
    return found if is_ours else None


def write_record(path: Path, record: Record) -> None:
    """Put the record beside the model at `path`."""
    replace_json(beside(path, ".edgeprof.json"), record)
