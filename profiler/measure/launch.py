"""One worker from start to end: started, watched, and turned into what it saw."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import msgspec

from profiler.catalogue.workloads import text_of
from profiler.engines.table import ENGINES
from profiler.environments.environments import python_of
from profiler.errors import UserError
from profiler.measure import worker as worker_script
from profiler.measure.endings import failure_of, oom_kill_count, printable
from profiler.measure.events import (
    Accounted,
    ConditionsRead,
    Done,
    Evaluated,
    Failed,
    Imported,
    Inspected,
    Loaded,
    PassEnded,
    PhaseEnded,
    Proved,
    Reached,
    ReachedDevice,
    Started,
    Timed,
    WorkerEvent,
    decode,
)
from profiler.measure.stamps import progress, stamp_buffer, unfinished_pass, words
from profiler.measure.watchdog import Watchdog
from profiler.measure.worker_environment import worker_environment
from profiler.runfile import (
    Account,
    Anchor,
    Build,
    Case,
    Conditions,
    Failure,
    MemoryLimit,
    Pass,
    Phase,
    Settings,
    Workload,
)

LOOK_EVERY_S = 0.25
GRACE_S = 10.0
"""For a worker that is done to end: a library may hang or crash while it is unloaded."""

LONGEST_LINE = 16 * 1024 * 1024

Progress = Callable[[int, int], None]
"""Called a few times a second with the pass the worker is in and the tokens stamped in it."""


AtLastPhase = Callable[[int], None]
LAST_PHASE = "after_decode"


def _ignore(_pass: int, _tokens: int) -> None:
    """Nobody looks on."""


def _ignore_pid(_pid: int) -> None:
    """Nobody waits for it."""


class Seen(msgspec.Struct, kw_only=True):
    """What one worker saw, collected while it ran."""

    started: Anchor | None = None
    ended: Anchor | None = None
    conditions: Conditions | None = None
    import_ms: float | None = None
    load_ms: float | None = None
    facts: dict[str, Any] | None = None
    account: Account | None = None
    limit: MemoryLimit | None = None
    phases: list[Phase] = []
    passes: list[Pass] = []
    timed: list[Timed] = []
    devices: list[ReachedDevice] | None = None
    proved: Proved | None = None
    evaluated: list[Evaluated] = []
    failure: Failure | None = None
    in_good_order: bool = False
    interrupted: bool = False


def job(
    case: Case,
    build: Build,
    path: Path,
    *,
    mode: str,
    round_number: int,
    passes: int,
    seed: int,
    sustained_s: float = 0.0,
    strict: bool = False,
) -> dict[str, Any]:
    """The order for a worker: its `mode` is "measure", "inspect", "account", "prove", "calibrate" or "profile".

    With `sustained_s`, passes begin for so many seconds, `passes` at most. With `strict` an engine that works elsewhere
    than asked fails.
    """
    workload = msgspec.to_builtins(case.workload)
    if case.workload.method == "text":
        workload["text"] = text_of(case.workload.id)
    return order_of(
        case.engine,
        path,
        case.settings,
        mode=mode,
        build=msgspec.to_builtins(build),
        workload=workload,
        round=round_number,
        passes=passes,
        sustained_s=sustained_s or None,
        seed=seed,
        strict=strict,
        route=None if case.route is None else msgspec.to_builtins(case.route),
    )


def order_of(engine: str, path: Path | None, settings: Settings, **more: object) -> dict[str, Any]:
    """An order for a worker of this engine: what every one has, and `more`, which is for its mode.

    One about no build has no `path`.
    """
    return {
        "engine": engine,
        "module": ENGINES[engine].module,
        "path": None if path is None else str(path.resolve()),
        "settings": settings,
        "cpus": sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
        **more,
    }


def _interpreter(engine: str) -> Path:
    """Ours, or that of the environment that the engine needs for itself."""
    name = ENGINES[engine].environment
    if name is None:
        return Path(sys.executable)
    python = python_of(name)
    if python is None:
        raise UserError(
            f"engine {engine} runs in an environment of its own, which is not there yet: edgeprof setup {name}"
        )
    return python


def now() -> Anchor:
    """This moment on both clocks."""
    return Anchor(**worker_script.anchor())


def run_worker(
    order: dict[str, Any],
    workload: Workload,
    stall_s: float,
    on_progress: Progress = _ignore,
    at_last_phase: AtLastPhase = _ignore_pid,
    before: Sequence[str] = (),
) -> Seen:
    """Run one worker to its end and return what it saw. The worker is gone when this returns or raises.

    `at_last_phase` is called with the process id of a worker that is through with its passes and still loaded.
    `before` is a command that becomes the worker in a place of its own (`memory_limit`).
    Ctrl-C ends the worker and is noted in `interrupted`, so that its finished passes are not lost.
    Raises `UserError` where the environment that its engine needs for itself is not there.
    """
    oom_before = oom_kill_count()
    seen = Seen(started=now())
    with stamp_buffer(workload.output_tokens) as stamps, tempfile.TemporaryFile() as errors:
        process = _start(order | {"stamps": str(stamps)}, errors, before)
        stalled = False
        try:
            stalled = _watch(process, stamps, stall_s, seen, on_progress, at_last_phase)
        except KeyboardInterrupt:
            seen.interrupted = True
        finally:
            _stop(process)
        salvage(seen, words(stamps))
        if not seen.interrupted:
            kills, said = oom_kill_count() - oom_before, _last_words(errors)
            conclude(seen, process.returncode, stall_s if stalled else None, kills, said)
    seen.ended = seen.ended or now()
    return seen


def _start(order: dict[str, Any], errors: IO[bytes], before: Sequence[str]) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [*before, str(_interpreter(order["engine"])), "-P", worker_script.__file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        env=worker_environment(os.environ),
        start_new_session=True,
    )
    assert process.stdin is not None
    try:
        process.stdin.write(json.dumps(order).encode("ascii"))
        process.stdin.close()
    except BrokenPipeError:
        pass
    return process


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the worker, stopped or not, and whatever it has started: all are of its session."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    elif process.poll() is None:
        process.kill()
    process.wait()


def _watch(
    process: subprocess.Popen[bytes],
    stamps: Path,
    stall_s: float,
    seen: Seen,
    on_progress: Progress,
    at_last_phase: AtLastPhase,
) -> bool:
    """Collect events until the pipe closes. True if the worker made no progress for `stall_s` seconds."""
    lines = _lines(process)
    watchdog = Watchdog(stall_s, words(stamps))
    while True:
        try:
            line = lines.get(timeout=LOOK_EVERY_S)
        except queue.Empty:
            current = words(stamps)
            on_progress(*progress(current))
            if watchdog.stalled(current):
                return True
            continue
        if line is None:
            return not _ends(process, GRACE_S if seen.in_good_order else stall_s)
        watchdog.spoke()
        known = len(seen.phases)
        take(line, seen)
        if len(seen.phases) > known and seen.phases[-1].name == LAST_PHASE:
            at_last_phase(process.pid)


def _ends(process: subprocess.Popen[bytes], within_s: float) -> bool:
    try:
        process.wait(within_s)
    except subprocess.TimeoutExpired:
        return False
    return True


def _lines(process: subprocess.Popen[bytes]) -> queue.Queue[bytes | None]:
    """The worker's lines, read by a thread so that waiting for one can time out on every system."""
    lines: queue.Queue[bytes | None] = queue.Queue()

    def read() -> None:
        assert process.stdout is not None
        for line in _limited(process.stdout):
            lines.put(line)
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    return lines


def _limited(pipe: IO[bytes]) -> Iterator[bytes]:
    return iter(lambda: pipe.readline(LONGEST_LINE), b"")


def take(line: bytes, seen: Seen) -> None:
    """Note what one line of a worker says."""
    try:
        event = decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        words_said = printable(line.decode("utf-8", "replace"), 80)
        seen.failure = Failure(
            kind="crashed", message=f"the worker's pipe carried something else: {words_said}"
        )
        return
    _note(event, seen)


_NOTED: dict[type[WorkerEvent], tuple[str, str]] = {
    Started: ("started", "anchor"),
    Imported: ("import_ms", "ms"),
    ConditionsRead: ("conditions", "conditions"),
    Inspected: ("facts", "facts"),
    Accounted: ("account", "account"),
    Reached: ("devices", "devices"),
}
"""Events that say one thing: the field of `Seen` it goes to, and their own field it comes from."""


def _note(event: WorkerEvent, seen: Seen) -> None:
    match event:
        case Loaded(ms=ms, facts=facts):
            seen.load_ms, seen.facts = ms, facts
        case PhaseEnded(name=name, memory=memory):
            seen.phases.append(Phase(name=name, memory=memory))
        case PassEnded():
            seen.passes.append(Pass(**msgspec.structs.asdict(event)))
        case Timed():
            seen.timed.append(event)
        case Proved():
            seen.proved = event
        case Evaluated():
            seen.evaluated.append(event)
        case Failed(kind=kind, message=message):
            seen.failure = Failure(kind=kind, message=printable(message))
        case Done(anchor=anchor):
            seen.ended, seen.in_good_order = anchor, True
        case _:
            to, of = _NOTED[type(event)]
            setattr(seen, to, getattr(event, of))


def salvage(seen: Seen, stamps: tuple[int, ...]) -> None:
    """Keep what was stamped of a pass that the worker did not live to report."""
    rest = unfinished_pass(stamps, {done.number for done in seen.passes})
    if rest is not None:
        seen.passes.append(rest)


def _last_words(errors: IO[bytes]) -> str:
    errors.seek(max(0, errors.seek(0, os.SEEK_END) - 4096))
    return errors.read().decode("utf-8", "replace")


def conclude(seen: Seen, status: int | None, stalled_s: float | None, oom_kills: int, said: str) -> None:
    """The failure behind a worker that did not end in good order and named none. `said` are its last words."""
    if seen.failure is not None or seen.in_good_order:
        return
    seen.failure = failure_of(status, stalled_s=stalled_s, oom_kills=oom_kills, last_words=said)
    if seen.failure is None:
        seen.failure = Failure(
            kind="crashed", message="the worker ended before it was done, with exit status 0"
        )
