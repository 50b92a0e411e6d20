"""The run file: one header, then one line per worker, appended and synced. Every figure is derived from it.

Nothing in it names a host, a user, a serial number or an absolute path. Times are nanoseconds; an `Anchor`
ties the clock of the stamps to the wall clock. `None` means "not read", never zero.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, TypeVar

import msgspec

from profiler.errors import UserError

SCHEMA = "edgeprof.run/1"
LONGEST_LINE = 64 * 1024 * 1024

FAILURE_KINDS = (
    "missing_library",
    "bad_file",
    "load_failed",
    "out_of_memory",
    "timeout",
    "crashed",
    "fell_back",
)

T = TypeVar("T")
Settings = dict[str, int | str | bool | None]


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every part of the run file is: frozen, named, and refused when a field is not known."""


class Anchor(Record, frozen=True, kw_only=True):
    """One moment on the wall clock and on the clock of the stamps."""

    wall_ns: int
    mono_ns: int


class Build(Record, frozen=True, kw_only=True):
    """One model file, as read from its own header. `sha256` is filled in by a later `Hashes` line."""

    id: str
    name: str
    format: str
    size_bytes: int
    quantization: str | None = None
    architecture: str | None = None
    parameters: int | None = None
    weights_bytes: int | None = None
    bits_per_weight: float | None = None
    read_bytes_per_token: int | None = None
    kv_elements_per_token: int | None = None
    context_length: int | None = None


class Workload(Record, frozen=True, kw_only=True):
    """What is asked of the model. `method` is "text" or "raw" (the llama-bench method)."""

    id: str
    method: str
    prompt_tokens: int
    output_tokens: int
    depth: int = 0
    text_sha256: str | None = None


class Case(Record, frozen=True, kw_only=True):
    """Build x settings x workload: one row of a report."""

    id: str
    build: str
    engine: str
    target: str
    settings: Settings
    workload: Workload


def varying(cases: Sequence[Case]) -> list[str]:
    """The settings that are not the same in all cases, in the engines' own order."""
    names = dict.fromkeys(name for case in cases for name in case.settings)
    return [name for name in names if len({case.settings.get(name) for case in cases}) > 1]


class Plan(Record, frozen=True, kw_only=True):
    """What a run sets out to do. `rounds` is fixed by `--processes`; None means the checkpoints decide."""

    builds: list[Build]
    cases: list[Case]
    seed: int
    passes: int
    rounds: int | None
    within: float
    max_time_s: float
    stall_s: float
    checkpoints: list[int]


class Device(Record, frozen=True, kw_only=True):
    """The machine the run was made on: a profile's id and name and the facts that reports print."""

    id: str
    name: str
    cpu: str | None = None
    cores: int | None = None
    memory_bytes: int | None = None
    memory_bandwidth_bytes_per_s: float | None = None
    bandwidth_source: str | None = None


class Header(Record, frozen=True, kw_only=True):
    """First line: what was planned, where, with what."""

    type: str
    schema: str
    run_id: str
    edgeprof: str
    started: Anchor
    plan: Plan
    device: Device
    environment: dict[str, Any]
    worker_environment: dict[str, str]


class Memory(Record, frozen=True, kw_only=True):
    """The worker's memory by the kernel's account, in bytes."""

    pss_bytes: int | None = None
    anon_bytes: int | None = None
    file_bytes: int | None = None
    shmem_bytes: int | None = None
    rss_bytes: int | None = None
    peak_rss_bytes: int | None = None


class Phase(Record, frozen=True, kw_only=True):
    """Memory at the end of a phase: before_load, loaded, after_prefill, after_decode."""

    name: str
    memory: Memory


class Counters(Record, frozen=True, kw_only=True):
    """How far kernel counters moved during a pass. `busy_ns` is that of all CPUs and all processes."""

    wall_ns: int
    own_cpu_ns: int | None = None
    busy_ns: int | None = None
    steal_ns: int | None = None
    major_faults: int | None = None
    minor_faults: int | None = None
    involuntary_switches: int | None = None


class Pass(Record, frozen=True, kw_only=True):
    """Stamps of one pass: `start_ns` on the clock of the stamps, the others counted from it.

    Number 0 is the warm-up: its first token is the first of the process, and no headline contains it.
    A pass that the worker did not finish has no counters.
    """

    number: int
    start_ns: int
    evaluated_ns: int | None
    token_ns: list[int]
    tokenized_ns: int | None = None
    prompt_bytes: int | None = None
    output_bytes: int | None = None
    output_sha256: str | None = None
    counters: Counters | None = None


class Failure(Record, frozen=True, kw_only=True):
    """Why a worker did not finish: one of `FAILURE_KINDS`, and one sentence."""

    kind: str
    message: str


class Worker(Record, frozen=True, kw_only=True):
    """Everything one worker saw. Round and attempt say where it stands in the plan."""

    type: str = "worker"
    case: str
    round: int
    attempt: int
    position: int
    started: Anchor
    ended: Anchor
    quiet_wait_s: float | None = None
    foreign_share_before: float | None = None
    import_ms: float | None = None
    load_ms: float | None = None
    facts: dict[str, Any] | None = None
    phases: list[Phase] = []
    passes: list[Pass] = []
    failure: Failure | None = None


class Hashes(Record, frozen=True, kw_only=True):
    """Content of the builds, hashed after measuring: hashing before would warm the page cache."""

    type: str = "hashes"
    sha256: dict[str, str]


class Event(Record, frozen=True, kw_only=True):
    """A moment of the run: "resumed", "interrupted" or "end" (with the reason for stopping)."""

    type: str = "event"
    name: str
    at: Anchor
    reason: str | None = None


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A run file, read."""

    header: Header
    workers: list[Worker]
    events: list[Event]
    sha256: dict[str, str]
    torn: bool = False

    @property
    def ended(self) -> Event | None:
        """The event that ended the run as planned, or None if it may still be resumed."""
        return next((event for event in self.events if event.name == "end"), None)


def append(file: IO[bytes], record: Record) -> None:
    """Write one record as one line and wait until it is on the disk.

    Raises `UserError` when it cannot be written; what was written before stays readable.
    """
    try:
        file.write(msgspec.json.encode(record) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    except OSError as error:
        raise UserError(
            f"the run file could not be written ({error.strerror}): make room and go on with --resume"
        ) from None


def read(path: Path) -> Run:
    """A run file, strictly decoded. A torn last line is dropped and noted."""
    lines, torn = _lines(path)
    if not lines:
        raise UserError(f"{path.name} holds no run: not even the header line was written")
    header = _decode(path, 1, lines[0], Header)
    if header.type != "header":
        raise UserError(f"{path.name} line 1 is a {header.type!r}, not the header of a run file")
    workers: list[Worker] = []
    events: list[Event] = []
    sha256: dict[str, str] = {}
    for number, line in enumerate(lines[1:], start=2):
        match _kind(path, number, line):
            case "worker":
                workers.append(_decode(path, number, line, Worker))
            case "event":
                events.append(_decode(path, number, line, Event))
            case "hashes":
                sha256.update(_decode(path, number, line, Hashes).sha256)
            case other:
                raise UserError(f"{path.name} line {number}: {other!r} is no record that this version knows")
    return Run(header=header, workers=workers, events=events, sha256=sha256, torn=torn)


def _lines(path: Path) -> tuple[list[bytes], bool]:
    try:
        content = path.read_bytes()
    except IsADirectoryError:
        raise UserError(f"{path.name} is a folder, not a run file") from None
    except OSError as error:
        raise UserError(f"{path.name} cannot be read: {error.strerror}") from None
    *whole, last = content.split(b"\n")
    if any(len(line) > LONGEST_LINE for line in whole):
        raise UserError(f"{path.name} is no run file: it has a line of more than {LONGEST_LINE} bytes")
    return whole, bool(last)


class _Kind(msgspec.Struct):
    type: str
    schema: str | None = None


def _kind(path: Path, number: int, line: bytes) -> str:
    return _decode(path, number, line, _Kind).type


def _decode(path: Path, number: int, line: bytes, kind: type[T]) -> T:
    try:
        if kind is Header:
            _check_schema(path, line)
        return msgspec.json.decode(line, type=kind)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise UserError(f"{path.name} line {number} is not part of a run file: {error}") from None


def _check_schema(path: Path, line: bytes) -> None:
    found = msgspec.json.decode(line, type=_Kind).schema
    if found != SCHEMA:
        raise UserError(f"{path.name} has schema {found!r}; this version reads {SCHEMA!r}")
