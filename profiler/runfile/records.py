"""What a run file is made of: its records, each field typed and bounded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec

SCHEMA = "edgeprof.run/1"
IMPORTED_SCHEMA = "edgeprof.imported/1"
"""That of a document of figures from another tool, which is no run; see `runfile/imported.py`."""

MOST_CASES, MOST_ROUNDS, MOST_PASSES, MOST_TOKENS = 1000, 200, 50, 1_048_576
"""Limits of a plan: cases, rounds, passes of one worker, tokens of a prompt, an answer or a depth."""

THIS = "this"
"""The id of the machine a program runs on, as it describes itself; no profile may take it."""

MOST_SECONDS = 30 * 24 * 3600
"""The longest time that a plan may set for anything."""

LARGEST_READING = 1e15
"""Joules or watts that no sensor tells: a reading beyond is a mistake."""

FAILURE_KINDS = (
    "missing_library",
    "bad_file",
    "load_failed",
    "out_of_memory",
    "timeout",
    "crashed",
    "fell_back",
)

Name = Annotated[str, msgspec.Meta(max_length=1000)]
"""What is repeated in every line of a table: a name of megabytes would make gigabytes of it."""

Settings = dict[Name, int | Name | bool | None]
Whole = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
Natural = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Tokens = Annotated[int, msgspec.Meta(ge=0, le=MOST_TOKENS)]
Passes = Annotated[int, msgspec.Meta(ge=1, le=MOST_PASSES)]
Rounds = Annotated[int, msgspec.Meta(ge=1, le=MOST_ROUNDS)]
Positive = Annotated[float, msgspec.Meta(gt=0)]
Finite = Annotated[float, msgspec.Meta(ge=-LARGEST_READING, le=LARGEST_READING)]
NotNegative = Annotated[float, msgspec.Meta(ge=0)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Celsius = Annotated[float, msgspec.Meta(ge=-300, le=1000)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=MOST_SECONDS)]
Method = Annotated[str, msgspec.Meta(pattern=r"^(text|raw)\Z")]
Scope = Annotated[str, msgspec.Meta(pattern=r"^(device|board|package|partial|gpu|npu|part)\Z")]
Quantity = Annotated[str, msgspec.Meta(pattern=r"^(energy|power)\Z")]
FailureKind = Annotated[str, msgspec.Meta(pattern=rf"^({'|'.join(FAILURE_KINDS)})\Z")]


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every part of the run file is: frozen, named, and refused when a field is not known."""


class Anchor(Record, frozen=True, kw_only=True):
    """One moment on the wall clock and on the clock of the stamps."""

    wall_ns: Whole
    mono_ns: Whole


class Closeness(Record, frozen=True, kw_only=True):
    """How near the logits of one path are to those of another, teacher-forced on the same tokens.

    `top1` is the share of positions with the same most likely token, `largest` the largest absolute
    difference of a logit, `kl` the mean Kullback-Leibler divergence in nats, `perplexity` that of this path.
    """

    top1: Share
    largest: NotNegative
    kl: NotNegative
    perplexity: Positive


class Agreement(Record, frozen=True, kw_only=True):
    """What checking a build against the file it was made from has shown.

    `exact` is this build at float32 activations against llama.cpp on the same weights in float32, `fast` this
    build as it is served against llama.cpp on the file itself, `floor` llama.cpp one token at a time against
    llama.cpp in one batch. What could not be compared is None, and `not_compared` says why. `failures` are
    sentences; none means that the build agrees.
    """

    text_sha256: str
    tokens: Tokens
    weights: Natural
    weights_unequal: Natural
    reference_perplexity: Positive | None = None
    exact: Closeness | None = None
    fast: Closeness | None = None
    floor: Closeness | None = None
    not_compared: str | None = None
    failures: list[str] = []


class Build(Record, frozen=True, kw_only=True):
    """One model file or folder, as its own header describes it. A later `Hashes` line has its SHA-256.

    `graph` names the graph within a folder, `source` and `via` what it was made from and how. Of one decoded
    token, `read_bytes_per_token` are the bytes of weights read and `bits_read_per_weight` the same per weight.
    """

    id: Name
    name: Name
    format: Name
    size_bytes: Natural
    quantization: Name | None = None
    architecture: str | None = None
    parameters: Natural | None = None
    weights_bytes: Natural | None = None
    bits_per_weight: float | None = None
    read_bytes_per_token: Natural | None = None
    kv_elements_per_token: Natural | None = None
    context_length: Natural | None = None
    bits_read_per_weight: float | None = None
    kv_type: str | None = None
    graph: str | None = None
    source: str | None = None
    via: str | None = None
    agreement: Agreement | None = None


class Workload(Record, frozen=True, kw_only=True):
    """What is asked of the model. `method` is "text" or "raw" (the llama-bench method)."""

    id: Name
    method: Method
    prompt_tokens: Tokens
    output_tokens: Tokens
    depth: Tokens = 0
    text_sha256: str | None = None


class Case(Record, frozen=True, kw_only=True):
    """Build x settings x workload: one row of a report."""

    id: Name
    build: Name
    engine: Name
    target: Name
    settings: Settings
    workload: Workload


def varying(cases: Sequence[Case]) -> list[str]:
    """The settings that are not the same in all cases that have them, in the engines' own order."""
    names = dict.fromkeys(name for case in cases for name in case.settings)
    found = {name: {case.settings[name] for case in cases if name in case.settings} for name in names}
    return [name for name, values in found.items() if len(values) > 1]


class Plan(Record, frozen=True, kw_only=True):
    """What a run sets out to do. `rounds` is fixed by `--processes`; None means the checkpoints decide.

    `settle_s` is how long each worker's start may wait for other programs to go quiet. With `until_decided` a run
    that compares stops at the checkpoint where every comparison has its verdict, and not for precision. `more_passes`
    says that a case whose start costs more than three of its passes runs five. `anchors` are cases measured only to
    tie this run to others. `cold` evicts each build before its worker starts. `sustained_s` makes one long worker of
    each case. With `strict`, what runs elsewhere than asked fails. Workers may use `memory_limit_bytes` at most.
    """

    builds: Annotated[list[Build], msgspec.Meta(min_length=1, max_length=MOST_CASES)]
    cases: Annotated[list[Case], msgspec.Meta(min_length=1, max_length=MOST_CASES)]
    seed: Natural
    passes: Passes
    rounds: Rounds | None
    within: Positive
    max_time_s: Seconds
    stall_s: Seconds
    checkpoints: Annotated[list[Rounds], msgspec.Meta(min_length=1, max_length=MOST_ROUNDS)]
    settle_s: Seconds = 10.0
    until_decided: bool = False
    more_passes: bool = False
    anchors: list[str] = []
    cold: bool = False
    sustained_s: Seconds = 0.0
    strict: bool = False
    memory_limit_bytes: Natural | None = None


class Device(Record, frozen=True, kw_only=True):
    """The machine the run was made on: a profile's id and name and the facts that reports print.

    From `throttle_celsius` on its processor slows itself down.
    """

    id: Name
    name: Name
    cpu: Name | None = None
    cores: Natural | None = None
    memory_bytes: Natural | None = None
    memory_bandwidth_bytes_per_s: Positive | None = None
    bandwidth_source: str | None = None
    throttle_celsius: Celsius | None = None

    @property
    def label(self) -> str:
        """What a reader calls it: the name of its profile; of a machine without one its processor."""
        return (self.cpu or self.name) if self.id == THIS else self.name


class Sensor(Record, frozen=True, kw_only=True):
    """A sensor of power or energy. `quantity` is "energy" (joules that add up) or "power" (watts now).

    `scope` is what it covers: "device" all that the plug or the battery gives, "board" the input of the board,
    "package" the processor package, "partial" some rails with others unseen, "gpu", "npu"; "part" is a piece of
    another sensor's scope and never added to anything. Sensors of one source and scope add up. An energy counter
    starts again from 0 after `wraps_at_j` joules. `period_s` is how often the sensor itself has something new.
    """

    id: Name
    source: Name
    name: str
    scope: Scope
    quantity: Quantity
    wraps_at_j: Positive | None = None
    period_s: Positive | None = None
    note: str | None = None


class Samples(Record, frozen=True, kw_only=True):
    """Readings of one sensor in time: nanoseconds on the clock of the stamps, and joules or watts.

    Readings that failed are left out, so both lists are equally long.
    """

    at_ns: list[Whole] = []
    values: list[Finite] = []


class Board(Record, frozen=True, kw_only=True):
    """The state of the board at one moment: by topic (`telemetry.protocol.TOPICS`) and part; else why not readable."""

    at: Anchor
    readings: dict[str, dict[str, int | float | str]] = {}
    unreadable: dict[str, str] = {}


class MemoryLimit(Record, frozen=True, kw_only=True):
    """The limit that one worker ran under: `by` what ("cgroup v2", ...), and what the kernel counted there.

    `peak_bytes` are the most that its processes and their file cache took, `oom_kills` how many it ended.
    """

    bytes: Natural
    by: str
    peak_bytes: Natural | None = None
    oom_kills: Natural | None = None


class Header(Record, frozen=True, kw_only=True):
    """First line: what was planned, where, with what.

    `sensors` are the meters that were found, `no_sensor` why the other sources have none.
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
    sensors: list[Sensor] = []
    no_sensor: dict[str, str] = {}


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
    meters: dict[str, Samples] = {}
    metering_share: float | None = None
    import_ms: float | None = None
    load_ms: float | None = None
    facts: dict[str, Any] | None = None
    account: Account | None = None
    other_mappers: list[str] | None = None
    phases: list[Phase] = []
    passes: list[Pass] = []
    failure: Failure | None = None


class Idle(Record, frozen=True, kw_only=True):
    """Readings of the sensors while nothing runs: `when` is "before" the first worker or "after" the last one.

    The anchors of its start and end tie an external meter's log to it.
    """

    type: Literal["idle"] = "idle"
    when: str
    meters: dict[str, Samples]
    started: Anchor | None = None
    ended: Anchor | None = None


class PowerLog(Record, frozen=True, kw_only=True):
    """Readings of an external meter: wall clock (nanoseconds since 1970, UTC) and watts of the whole device.

    `name` is that of the file it was read from, `offset_s` how far its clock was ahead of this machine's (already
    taken out of `wall_ns`).
    """

    type: Literal["power_log"] = "power_log"
    name: str
    wall_ns: list[Whole]
    watts: list[Finite]
    offset_s: float = 0.0


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


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A run file, read."""

    header: Header
    workers: list[Worker]
    events: list[Event]
    sha256: dict[str, str]
    idle: list[Idle] = []
    power_log: PowerLog | None = None
    torn: bool = False

    @property
    def ended(self) -> Event | None:
        """The event that ended the run as planned, or None if it may still be resumed."""
        return next((event for event in self.events if event.name == "end"), None)
