"""What a worker says over its pipe, strictly decoded: one line, one event."""

from __future__ import annotations

from typing import Any

import msgspec

from profiler.runfile import Account, Anchor, Conditions, Counters, Memory
from profiler.runfile.fields import Natural


class _Event(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="event"):
    pass


class Started(_Event, frozen=True, kw_only=True, tag="started"):
    """The worker runs."""

    anchor: Anchor


class Imported(_Event, frozen=True, kw_only=True, tag="imported"):
    """The engine's library has been imported."""

    ms: float
    python: str


class ConditionsRead(_Event, frozen=True, kw_only=True, tag="conditions"):
    """The state of the processor before the build is loaded."""

    conditions: Conditions


class Inspected(_Event, frozen=True, kw_only=True, tag="inspected"):
    """What a job would take, in answer to an inspection."""

    facts: dict[str, Any]


class Accounted(_Event, frozen=True, kw_only=True, tag="accounted"):
    """What the engine holds, in answer to an order to account for its memory."""

    account: Account


class Loaded(_Event, frozen=True, kw_only=True, tag="loaded"):
    """The build is ready for a prompt."""

    ms: float
    facts: dict[str, Any]


class PhaseEnded(_Event, frozen=True, kw_only=True, tag="phase"):
    """Memory at the end of a phase."""

    name: str
    memory: Memory


class PassEnded(_Event, frozen=True, kw_only=True, tag="pass"):
    """One pass, with all its stamps."""

    number: int
    start_ns: int
    evaluated_ns: int | None
    token_ns: list[int]
    tokenized_ns: int | None
    prompt_bytes: int | None
    output_bytes: int | None
    output_sha256: str | None
    counters: Counters
    conditions: Conditions


class Timed(_Event, frozen=True, kw_only=True, tag="timed"):
    """One task of a calibration: its prompt, if it has one, and its single tokens."""

    task: int
    round: int
    prompt_ns: int | None
    token_ns: list[int]


class ReachedDevice(msgspec.Struct, frozen=True, kw_only=True):
    """A device that an engine reaches beside the CPU, or with `reason` a provider that reaches none.

    `provider` and `name` are the engine's own words, `simulated` says what imitates the device.
    """

    provider: str
    kind: str | None
    name: str | None
    description: str | None = None
    memory_bytes: int | None = None
    simulated: str | None = None
    reason: str | None = None


class Reached(_Event, frozen=True, kw_only=True, tag="reached"):
    """The devices that the engine reaches."""

    devices: list[ReachedDevice]


class Proved(_Event, frozen=True, kw_only=True, tag="proved"):
    """What a build answered: its most likely tokens, and beside kept logits least cosine and largest difference."""

    tokens: list[int]
    load_ms: float
    facts: dict[str, Any]
    cosine: float | None
    largest: float | None


class SeenNode(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One operation of a graph, in the fields of `engines.protocol.Node`."""

    op: str
    part: str
    name: str
    layer: int | None
    start_ns: int
    ns: Natural
    read_bytes: Natural | None
    macs: Natural | None
    device: str | None
    memory_bytes: Natural | None = None
    moved_bytes: Natural | None = None


class Evaluated(_Event, frozen=True, kw_only=True, tag="evaluated"):
    """One evaluation of a profile. A plain one tells no nodes."""

    phase: str
    number: int
    tokens: int
    start_ns: int
    ns: Natural
    watched: bool
    graph_ns: Natural | None = None
    nodes: list[SeenNode] = []


class Failed(_Event, frozen=True, kw_only=True, tag="failure"):
    """The worker could not go on and says why."""

    kind: str
    message: str


class Done(_Event, frozen=True, kw_only=True, tag="done"):
    """The worker ended in good order, failed or not."""

    anchor: Anchor


WorkerEvent = (
    Started
    | Imported
    | ConditionsRead
    | Inspected
    | Accounted
    | Loaded
    | PhaseEnded
    | PassEnded
    | Timed
    | Reached
    | Proved
    | Evaluated
    | Failed
    | Done
)

_decoder: msgspec.json.Decoder[WorkerEvent] = msgspec.json.Decoder(WorkerEvent)


def decode(line: bytes) -> WorkerEvent:
    """One event. Raises `msgspec.MsgspecError`, `UnicodeDecodeError` or `RecursionError` else."""
    return _decoder.decode(line)
