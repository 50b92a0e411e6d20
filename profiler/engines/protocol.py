"""What an engine offers the worker. The worker times; an engine only advances."""

from typing import Any, Callable, Dict, List, NamedTuple, Optional, Protocol

Job = Dict[str, Any]
"""One worker's order: `path`, `settings`, `workload`, `round`, `seed`; see `measure.launch.job`."""


Anonymous = Callable[[], Optional[int]]
"""Reads how many bytes of this process no file backs; None where the system does not tell."""


class EngineFailure(Exception):
    """The engine cannot go on. `kind` is a failure kind of the run file, `message` one sentence."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


class Node(NamedTuple):
    """One operation of a graph as it ran.

    `part` says what of the model it belongs to, in the engine's words without the layer: the weights it multiplies by,
    or else what it computes. `start_ns` counts from the start of the graph. `read_bytes` are weights read, `macs`
    multiply-adds, `moved_bytes` all that it reads and writes, weights included; `memory_bytes` is what the engine had
    in use when it ended. They are None where they are not known.
    """

    op: str
    part: str
    name: str
    layer: Optional[int]
    start_ns: int
    ns: int
    read_bytes: Optional[int] = None
    macs: Optional[int] = None
    device: Optional[str] = None
    memory_bytes: Optional[int] = None
    moved_bytes: Optional[int] = None


class Graph(NamedTuple):
    """One evaluation of a model's graph: how long it took as a whole, and its nodes in the order they ran."""

    ns: int
    nodes: List[Node]


class Engine(Protocol):
    """One loaded build with one context. Token ids are those of the build's own tokenizer."""

    clock: Callable[[], int]
    """Nanoseconds. `time.perf_counter_ns` for every real engine; the scripted engine brings its own time."""

    def tokenize(self, text: bytes) -> List[int]:
        """Token ids of `text`, with the special tokens that the build puts before a prompt."""

    def text_of(self, ids: List[int]) -> bytes:
        """The bytes that these ids stand for."""

    def random_ids(self, count: int, seed: int) -> List[int]:
        """`count` ids drawn evenly from the vocabulary, the first one BOS where the build asks for it."""

    def reset(self) -> None:
        """Forget all context: the next call starts at depth 0."""

    def prefill(self, ids: List[int]) -> None:
        """Evaluate a prompt. Returns when it has been evaluated, not when it has been queued."""

    def next_token(self) -> int:
        """The most likely next id, on the host. Evaluates the id it returned before, if there is one."""

    def feed(self, token: int) -> None:
        """Evaluate one given id without sampling. Returns when it has been evaluated."""

    def save(self) -> object:
        """The present context, to be restored at the same depth later."""

    def restore(self, state: object) -> None:
        """Put back a context that `save` returned."""

    def facts(self) -> Dict[str, Any]:
        """What the engine says of itself: `versions` by part, `system` (build flags), memory it allocated.

        `fell_back` is None, or one sentence on what it does elsewhere or otherwise than it was asked to (`placement`).
        """

    def close(self) -> None:
        """Free the build."""


class Watch(Protocol):
    """One build loaded twice in one process: as it always runs, and with its nodes watched."""

    plain: Engine
    watched: Engine
    piece: Optional[int]
    """Tokens of a prompt that one call of `prefill` evaluates in one graph; None where there is no limit."""

    def evaluated(self, depth: int) -> None:
        """Called outside of all times, after each call that made `watched` evaluate its graph after `depth` tokens."""

    def finish(self) -> List[Graph]:
        """Close both, and tell the graphs that `watched` evaluated, in order. Raises `EngineFailure`."""


class EngineModule(Protocol):
    """A module under `profiler.engines` that the engine table names.

    One that can account for its memory has `account(job, anonymous)` too, which gives fields of the record
    `Account`; `anonymous()` reads the bytes of this process that no file backs. One that the table calls `watched` has
    `watch(job)`, which gives a `Watch`; `scratch` of that job is an empty folder.

    One that reaches more than the CPU has `devices(plugin)`, with the fields of `measure.events.ReachedDevice`. Its
    engines have `logits()`, those of the last position, or `generate`, and may have `shares()`: what lies where, in the
    fields of the record `Placed` by device.
    """

    def import_library(self) -> None:
        """Import the engine's library. Raises `EngineFailure("missing_library", ...)`."""

    def load(self, job: Job) -> Engine:
        """Load a build and make it ready for a prompt. Raises `EngineFailure`."""

    def inspect(self, job: Job) -> Dict[str, Any]:
        """What this job would take, without allocating it: `weights_bytes`, `kv_bytes`, `compute_bytes`.

        With `fell_back` too where a fall-back shows already.
        """
