"""What a run file is made of, line by line: its header, what each worker saw, events and hashes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from profiler.runfile.fields import MOST_CASES, Celsius, FailureKind, Name, Natural, Record, Share, Whole
from profiler.runfile.planned import Device, Plan, Predicted, Proof
from profiler.runfile.profiled import Profile
from profiler.runfile.sensed import Anchor, Board, Idle, MemoryLimit, PowerLog, Samples, Sensor


class Header(Record, frozen=True, kw_only=True):
    """First line: what was planned, where, with what.

    `sensors` are the meters that were found, `no_sensor` why the other sources have none. `predictions` were made
    before the first worker; there are none where nothing was calibrated. `proofs` are those of targets beside the CPU.
    `on_board` says that another machine than the device asked for the run.
    """

    type: Literal["header"]
    schema: str
    run_id: str
    edgeprof: str
    started: Anchor
    plan: Plan
    device: Device
    environment: dict[str, Any]
    worker_environment: dict[str, str]
    sensors: list[Sensor] = msgspec.field(default_factory=list)
    no_sensor: dict[str, str] = msgspec.field(default_factory=dict)
    predictions: Annotated[list[Predicted], msgspec.Meta(max_length=MOST_CASES)] = msgspec.field(
        default_factory=list
    )
    proofs: Annotated[list[Proof], msgspec.Meta(max_length=MOST_CASES)] = msgspec.field(default_factory=list)
    on_board: bool = False


class Memory(Record, frozen=True, kw_only=True):
    """The worker's memory by the kernel's account, in bytes.

    `build_bytes` is the part of PSS that maps the build's own files, `build_rss_bytes` the same not divided by the
    processes that map them, `freed_bytes` what the C library keeps of freed memory. `swapped_bytes` are in swap and in
    no PSS.
    """

    pss_bytes: Natural | None = None
    anon_bytes: Natural | None = None
    file_bytes: Natural | None = None
    shmem_bytes: Natural | None = None
    rss_bytes: Natural | None = None
    peak_rss_bytes: Natural | None = None
    build_bytes: Natural | None = None
    build_rss_bytes: Natural | None = None
    freed_bytes: Natural | None = None
    swapped_bytes: Natural | None = None


class Account(Record, frozen=True, kw_only=True):
    """What an engine holds for one case, found once in a process of its own.

    `bookkeeping_bytes` is what vocabulary, metadata and graph take without any buffer, `held_weights_bytes` what
    is held between prompts for weights beside the mapped file, `held_compute_bytes` what is set aside for computing.
    """

    bookkeeping_bytes: Whole | None = None
    held_weights_bytes: Natural | None = None
    held_compute_bytes: Natural | None = None
    reason: str | None = None


class Phase(Record, frozen=True, kw_only=True):
    """Memory at the end of a phase: before_load, loaded, after_prefill, after_decode."""

    name: str
    memory: Memory


class Counters(Record, frozen=True, kw_only=True):
    """How far kernel counters moved during a pass.

    `busy_ns` is that of all CPUs and all processes, `steal_ns` what the hypervisor gave to other guests. A pressure is
    the time in which some task of the machine waited; pages swapped are those of all processes. `throttle_events`
    counts how often the processor slowed itself down for heat.
    """

    wall_ns: Natural
    own_cpu_ns: Whole | None = None
    busy_ns: Whole | None = None
    steal_ns: Whole | None = None
    major_faults: Whole | None = None
    minor_faults: Whole | None = None
    involuntary_switches: Whole | None = None
    cpu_pressure_ns: Whole | None = None
    memory_pressure_ns: Whole | None = None
    io_pressure_ns: Whole | None = None
    swapped_in_pages: Whole | None = None
    swapped_out_pages: Whole | None = None
    throttle_events: Whole | None = None


class Conditions(Record, frozen=True, kw_only=True):
    """The state of the processor at one moment: mean clock of the CPUs in use, highest temperature of its sensors."""

    clock_hz: Natural | None = None
    temperature_c: Celsius | None = None


class Pass(Record, frozen=True, kw_only=True):
    """Stamps of one pass: `start_ns` on the clock of the stamps, the others counted from it.

    Number 0 is the warm-up: its first token is the first of the process, and no headline contains it.
    A pass that the worker did not finish has no counters. `conditions` are those at its end.
    """

    number: Natural
    start_ns: Whole
    evaluated_ns: Natural | None
    token_ns: list[Natural]
    tokenized_ns: Natural | None = None
    prompt_bytes: Natural | None = None
    output_bytes: Natural | None = None
    output_sha256: str | None = None
    counters: Counters | None = None
    conditions: Conditions | None = None


class Failure(Record, frozen=True, kw_only=True):
    """Why a worker did not finish: one of `FAILURE_KINDS`, and one sentence."""

    kind: FailureKind
    message: str


class Worker(Record, frozen=True, kw_only=True):
    """Everything one worker saw. Round and attempt say where it stands in the plan.

    `cooled_s` is how long its start waited for the processor to be as cool as before the first case.
    `cached_share` is the share of the build's bytes that lay in the page cache just before the start; `evicted` says
    whether they were sent away for a cold start and none was left, and `not_evicted` why not. `meters` has the
    readings of sensors by their id; `metering_share` is the share of one core that reading them took. `account` comes
    with the first worker of a case; `other_mappers` are the names of other programs that mapped the build's files.
    """

    type: Literal["worker"] = "worker"
    case: str
    round: Natural
    attempt: Natural
    position: Natural
    started: Anchor
    ended: Anchor
    quiet_wait_s: float | None = None
    cooled_s: float | None = None
    foreign_share_before: float | None = None
    cached_share: Share | None = None
    evicted: bool | None = None
    not_evicted: str | None = None
    conditions: Conditions | None = None
    limit: MemoryLimit | None = None
    board_before: Board | None = None
    board_after: Board | None = None
    meters: dict[str, Samples] = msgspec.field(default_factory=dict)
    metering_share: float | None = None
    import_ms: float | None = None
    load_ms: float | None = None
    facts: dict[str, Any] | None = None
    account: Account | None = None
    other_mappers: list[str] | None = None
    phases: list[Phase] = msgspec.field(default_factory=list)
    passes: list[Pass] = msgspec.field(default_factory=list)
    failure: Failure | None = None


class Hashes(Record, frozen=True, kw_only=True):
    """Content of the builds, hashed after measuring: hashing before would warm the page cache."""

    type: Literal["hashes"] = "hashes"
    sha256: dict[str, str]


class Event(Record, frozen=True, kw_only=True):
    """A moment of the run: "resumed", "interrupted" or "end" (with the reason for stopping)."""

    type: Literal["event"] = "event"
    name: str
    at: Anchor
    reason: str | None = None


class Returned(Record, frozen=True, kw_only=True):
    """In a file of several boards: what follows belongs to the run of this one again, which has its header before."""

    type: Literal["returned"] = "returned"
    board: Name


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """The run of one machine, as its file has it."""

    header: Header
    workers: list[Worker]
    events: list[Event]
    sha256: dict[str, str]
    idle: list[Idle] = []
    profiles: list[Profile] = []
    power_log: PowerLog | None = None
    torn: bool = False

    @property
    def ended(self) -> Event | None:
        """The event that ended the run as planned, or None if it may still be resumed."""
        return next((event for event in self.events if event.name == "end"), None)
