"""`NAME.part`: a file that grows, of which a later command trusts only what was vouched for."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import msgspec

from profiler.fetching.disk import beside, not_through_links, replace_json

_READ_BYTES = 1 << 20
_LARGEST_STATE = 64 << 10


class _State(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Beside the part: the first `length` bytes of it have this hash, and are of the file of `total` bytes that
    `source` had under `etag`."""

    source: str
    total: int
    etag: str | None
    length: int
    sha256: str


class Partial:
    """The part that is being written. `total` is its announced length in bytes, None before a server announced one."""

    def __init__(self, path: Path, file: BinaryIO, source: str, checkpoint_bytes: int) -> None:
        self.path = path
        self.length = 0
        self.total: int | None = None
        self.etag: str | None = None
        self._file, self._source, self._checkpoint_bytes = file, source, checkpoint_bytes
        self._hash, self._vouched = hashlib.sha256(), 0

    @property
    def name(self) -> str:
        """What the file will be called."""
        return self.path.name.removesuffix(".part")

    def begin(self, total: int | None = None, etag: str | None = None) -> None:
        """Start over, with a file that the server announces."""
        self._file.seek(0)
        self._file.truncate()
        _state_of(self.path).unlink(missing_ok=True)
        self.total, self.etag, self.length = total, etag, 0
        self._hash, self._vouched = hashlib.sha256(), 0

    def add(self, chunk: bytes) -> None:
        """The next bytes of the file."""
        self._file.write(chunk)
        self._hash.update(chunk)
        self.length += len(chunk)
        if self.length - self._vouched >= self._checkpoint_bytes:
            self.vouch()

    def vouch(self) -> None:
        """Make what has come safe, and say so beside it."""
        if self.total is None or self.length == self._vouched:
            return
        self._file.flush()
        os.fsync(self._file.fileno())
        state = _State(
            source=self._source,
            total=self.total,
            etag=self.etag,
            length=self.length,
            sha256=self._hash.hexdigest(),
        )
        replace_json(_state_of(self.path), state)
        self._vouched = self.length

    def take_up(self) -> None:
        """Go on after the bytes that an earlier command vouched for; start over if they are not those any more."""
        state = _read_state(self.path)
        if state is not None and state.source == self._source and self._reads(state):
            self.total, self.etag, self.length = state.total, state.etag, state.length
            self._vouched = state.length
            self._file.seek(state.length)
            self._file.truncate()
        else:
            self.begin()

    def _reads(self, state: _State) -> bool:
        """Read what the state vouches for; whether it is all there and unchanged."""
        left = state.length
        while left > 0 and (chunk := self._file.read(min(left, _READ_BYTES))):
            self._hash.update(chunk)
            left -= len(chunk)
        return left == 0 and self._hash.hexdigest() == state.sha256


@contextmanager
def partial(path: Path, source: str, checkpoint_bytes: int) -> Iterator[Partial]:
    """The part at `path` of the file that `source` has; kept however this ends, unless nothing came."""
    with open(path, "r+b", opener=not_through_links) as file:
        part = Partial(path, file, source, checkpoint_bytes)
        part.take_up()
        try:
            yield part
        finally:
            part.vouch()
            file.close()
            if part.length == 0:
                discard(path)


def discard(path: Path) -> None:
    """Remove the part at `path` and what was said of it."""
    path.unlink(missing_ok=True)
    _state_of(path).unlink(missing_ok=True)


def settle(path: Path, target: Path) -> None:
    """The part at `path` is whole and right: give it its name."""
    path.rename(target)
    _state_of(path).unlink(missing_ok=True)


def _state_of(path: Path) -> Path:
    return beside(path, ".json")


def _read_state(path: Path) -> _State | None:
    try:
        with _state_of(path).open("rb") as file:
            found = msgspec.json.decode(file.read(_LARGEST_STATE), type=_State)
    except (OSError, UnicodeDecodeError, msgspec.MsgspecError, RecursionError):
        return None
    return found if 0 < found.length <= found.total else None
