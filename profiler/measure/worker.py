"""The worker: loads one build, runs some passes of one case, and writes what it saw, one JSON line at a time.

It is started by path, in any Python from 3.9 on, with the standard library and one engine; nothing of the
analysis is imported. Its order comes on standard input. Its results go to what was standard output when it
started; the engine's own output goes to standard error from then on.
"""

import gc
import hashlib
import importlib
import json
import mmap
import os
import signal
import sys
import time
import types
from typing import Any, Callable, Dict, List, Optional, TextIO

if "profiler" not in sys.modules:
    _package = types.ModuleType("profiler")
    _package.__path__ = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]
    sys.modules["profiler"] = _package

from profiler.engines.protocol import Engine, EngineFailure, EngineModule, Job
from profiler.measure import worker_calibration, worker_counters, worker_memory, worker_profile, worker_proof
from profiler.measure.worker_conditions import Processor, allowed_cpus
from profiler.measure.worker_prompt import prompt_ids

PASS, START, EVALUATED, FIRST = 0, 1, 2, 3
"""Words of the stamp buffer: pass number, prompt received, prompt evaluated, first token."""

WARM_UP_TOKENS = 16
_PR_SET_PDEATHSIG = 1

Emit = Callable[..., None]
Stamps = Any  # memoryview of signed 64-bit words; the type has no element type before Python 3.12


def take_over_output() -> TextIO:
    """The pipe to the parent. From here on, file descriptor 1 is standard error."""
    results = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return results


def emitter(results: TextIO) -> Emit:
    """A function that writes one event as one line."""

    def emit(event: str, **fields: Any) -> None:
        results.write(json.dumps({"event": event, **fields}) + "\n")
        results.flush()

    return emit


def die_with_parent() -> None:
    """Leave no orphan, and be the first that the kernel's out-of-memory killer takes (Linux)."""
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    try:
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write("1000")
    except OSError:
        pass


def anchor() -> Dict[str, int]:
    """The same moment on the wall clock and on the clock of the stamps, in nanoseconds."""
    return {"wall_ns": time.time_ns(), "mono_ns": time.perf_counter_ns()}


def open_stamps(path: str) -> Stamps:
    """The buffer of stamps that the parent reads along in, so that a crash loses none."""
    with open(path, "r+b") as file:
        return memoryview(mmap.mmap(file.fileno(), 0)).cast("q")


def text_pass(engine: Engine, ids: List[int], tokens: int, stamps: Stamps) -> List[int]:
    """One prompt and `tokens` greedy tokens, one stamp each. Nothing else happens between stamps."""
    if hasattr(engine, "generate"):
        return streamed_pass(engine, ids, tokens, stamps)
    clock, next_token = engine.clock, engine.next_token
    output = [0] * tokens
    stamps[START] = clock()
    engine.prefill(ids)
    stamps[EVALUATED] = clock()
    for k in range(tokens):
        output[k] = next_token()
        stamps[FIRST + k] = clock()
    return output


def streamed_pass(engine: Any, ids: List[int], tokens: int, stamps: Stamps) -> List[int]:
    """The same on an engine that only generates whole texts: it calls back with the number of each token.

    When the prompt had been evaluated is not known.
    """
    clock = engine.clock

    def stamp(k: int) -> None:
        stamps[FIRST + k] = clock()

    stamps[START] = clock()
    output: List[int] = engine.generate(ids, tokens, stamp)
    return output


def raw_pass(engine: Engine, ids: List[int], fed: List[int], stamps: Stamps) -> List[int]:
    """The llama-bench method: given ids, no sampler, one stamp after each evaluated call."""
    clock, feed = engine.clock, engine.feed
    stamps[START] = clock()
    if ids:
        engine.prefill(ids)
    stamps[EVALUATED] = clock()
    for k, token in enumerate(fed):
        feed(token)
        stamps[FIRST + k] = clock()
    return []


class Measurement:
    """The passes of one loaded build."""

    def __init__(self, job: Job, engine: Engine, processor: Processor, stamps: Stamps, emit: Emit) -> None:
        self._build = worker_memory.files_of(job["path"])
        self._engine, self._processor, self._stamps, self._emit = engine, processor, stamps, emit
        self._workload = job["workload"]
        self._seed = job["seed"]
        self._ids = prompt_ids(engine, self._workload, self._seed)
        self._text = b"" if self._is_raw() else engine.text_of(self._ids)
        self._depth_state: Optional[object] = None

    def _is_raw(self) -> bool:
        return bool(self._workload["method"] == "raw")

    def warm_up(self) -> None:
        """One pass that no headline contains: its first token is the cold one, and it shows the memory."""
        tokens = self._workload["output_tokens"]
        self._run(0, min(tokens, 1))
        self.phase("after_prefill")
        if hasattr(self._engine, "generate"):
            self._engine.generate(self._ids, min(tokens, WARM_UP_TOKENS), self._ignore)
            return
        fed = self._engine.random_ids(tokens, self._seed) if self._is_raw() else []
        for k in range(1, min(tokens, WARM_UP_TOKENS)):
            if fed:
                self._engine.feed(fed[k])
            else:
                self._engine.next_token()
            self._stamps[FIRST + k] = self._engine.clock()  # read by the watchdog alone

    def phase(self, name: str) -> None:
        """Tell the memory at the end of a phase."""
        self._emit("phase", name=name, memory=worker_memory.memory(self._build))

    def _ignore(self, _: int) -> None:
        """A token of the warm-up: not stamped."""

    def passes(self, most: int, sustained_s: Optional[float] = None) -> None:
        """The passes that count: as many as this, or those that begin within this time on the engine's clock."""
        began = self._engine.clock()
        for number in range(1, most + 1):
            if sustained_s is not None and self._engine.clock() - began >= sustained_s * 1e9:
                return
            self._run(number, self._workload["output_tokens"])

    def _run(self, number: int, tokens: int) -> None:
        self._go_to_depth()
        tokenized_ns = self._time_tokenizer()
        self._clear_stamps(number)
        throttled = self._processor.throttle_count()
        before = worker_counters.counters()
        started = time.perf_counter_ns()
        output = self._one_pass(tokens)
        wall_ns = time.perf_counter_ns() - started
        moved = worker_counters.difference(before, worker_counters.counters())
        conditions = self._processor.conditions()
        moved.update(wall_ns=wall_ns, throttle_events=self._processor.throttled_since(throttled))
        self._report(number, tokens, output, tokenized_ns, moved, conditions)

    def _go_to_depth(self) -> None:
        depth = self._workload["depth"]
        if self._depth_state is not None:
            self._engine.restore(self._depth_state)
            return
        self._engine.reset()
        if depth:
            self._engine.prefill(self._engine.random_ids(depth, self._seed + 1))
            self._depth_state = self._engine.save()

    def _time_tokenizer(self) -> Optional[int]:
        if self._is_raw():
            return None
        started = self._engine.clock()
        self._engine.tokenize(self._text)
        return self._engine.clock() - started

    def _clear_stamps(self, number: int) -> None:
        for k in range(len(self._stamps)):
            self._stamps[k] = 0
        self._stamps[PASS] = number

    def _one_pass(self, tokens: int) -> List[int]:
        if self._is_raw():
            fed = self._engine.random_ids(tokens, self._seed + 2)
            return raw_pass(self._engine, self._ids, fed, self._stamps)
        return text_pass(self._engine, self._ids, tokens, self._stamps)

    def _report(
        self,
        number: int,
        tokens: int,
        output: List[int],
        tokenized_ns: Optional[int],
        counters: Dict[str, Any],
        conditions: Dict[str, Any],
    ) -> None:
        start, evaluated = self._stamps[START], self._stamps[EVALUATED]
        self._emit(
            "pass",
            number=number,
            start_ns=start,
            evaluated_ns=evaluated - start if evaluated else None,
            token_ns=[self._stamps[FIRST + k] - start for k in range(tokens)],
            tokenized_ns=tokenized_ns,
            prompt_bytes=len(self._text) if self._text else None,
            output_bytes=len(self._engine.text_of(output)) if output else None,
            output_sha256=hashlib.sha256(repr(output).encode()).hexdigest() if output else None,
            counters=counters,
            conditions=conditions,
        )


def timed_ms(clock: Callable[[], int], action: Callable[[], Any]) -> Any:
    """The result of `action` and how many milliseconds it took."""
    started = clock()
    result = action()
    return result, (clock() - started) / 1e6


def measure(job: Job, module: EngineModule, emit: Emit) -> None:
    """Load, warm up, run the passes, and tell the memory at the end of each phase."""
    processor = Processor(allowed_cpus(), job["settings"].get("threads"))
    emit("conditions", conditions=processor.conditions())
    emit("phase", name="before_load", memory=worker_memory.memory())
    engine, load_ms = timed_ms(time.perf_counter_ns, lambda: module.load(job))
    facts = engine.facts()
    emit("loaded", ms=load_ms, facts=facts)
    if job.get("strict") and facts.get("fell_back"):
        raise EngineFailure("fell_back", str(facts["fell_back"]))
    measurement = Measurement(job, engine, processor, open_stamps(job["stamps"]), emit)
    measurement.phase("loaded")
    gc.collect()
    gc.disable()
    measurement.warm_up()
    measurement.passes(job["passes"], job.get("sustained_s"))
    measurement.phase("after_decode")
    engine.close()


def account(job: Job, module: Any, emit: Emit) -> None:
    """What the engine says, or shows, of its memory beside what it maps; nothing if it does not account for it."""
    tell = getattr(module, "account", None)
    facts = tell(job, worker_memory.anonymous) if tell else {}
    emit("accounted", account=facts)


def work(job: Job, emit: Emit) -> None:
    """Carry out one order."""
    if job.get("cpus") and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, job["cpus"])
    module: Any = importlib.import_module(job["module"])
    _, import_ms = timed_ms(time.perf_counter_ns, module.import_library)
    emit("imported", ms=import_ms, python=sys.version.split()[0])
    if job["mode"] == "inspect":
        emit("inspected", facts=module.inspect(job))
    elif job["mode"] == "account":
        account(job, module, emit)
    elif job["mode"] == "devices":
        emit("reached", devices=module.devices(job.get("plugin")) if hasattr(module, "devices") else [])
    elif job["mode"] == "prove":
        worker_proof.prove(job, module, emit)
    elif job["mode"] == "calibrate":
        worker_calibration.calibrate(job, module, emit)
    elif job["mode"] == "profile":
        worker_profile.profile(job, module, emit)
    else:
        measure(job, module, emit)


def main() -> None:
    """One order in, events out. Every failure ends as an event or as an exit status."""
    emit = emitter(take_over_output())
    die_with_parent()
    job = json.load(sys.stdin)
    emit("started", anchor=anchor())
    try:
        work(job, emit)
    except EngineFailure as failure:
        emit("failure", kind=failure.kind, message=failure.message)
    except MemoryError:
        emit("failure", kind="out_of_memory", message="the worker could not allocate memory")
    except Exception as error:  # an engine may raise anything; its type and words are the result
        emit("failure", kind="crashed", message=f"{type(error).__name__}: {error}")
    emit("done", anchor=anchor())


if __name__ == "__main__":
    main()
