"""Times the trials of a calibration on this machine, each in a worker of its own, until the time is over."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from profiler.builds.gguf import read_header
from profiler.builds.shapes.header import data_bytes
from profiler.builds.shapes.write import write_random
from profiler.engines.table import LLAMA_CPP
from profiler.errors import UserError
from profiler.measure.launch import Seen, order_of, run_worker
from profiler.predicting.calibration import Sample
from profiler.predicting.call import call_of
from profiler.predicting.terms import terms
from profiler.predicting.trials import CONTEXT, Task, Trial, plan, tensors
from profiler.predicting.work import Work, work_of
from profiler.runfile import Settings, Workload

ENGINE = "llama-cpp"
STALL_S = 60.0
ROUNDS, LONGEST_S = 3, 5.0
"""A trial begins no further task after so many seconds, once it has done each of them."""
NO_TIME = "no time was left"
ROOM = 1.2

Tell = Callable[[str, float, float], None]
"""Called with what is timed, and the seconds gone and given."""


class Refused(Exception):
    """A trial that the engine ended, with its reason."""


class Timed(msgspec.Struct, frozen=True, kw_only=True):
    """Samples of trials, each the faster of two if there were two, and what is left out, with reasons.

    `drift` is the median of the ratio of both sweeps, the slower by the faster; None if no trial was timed twice.
    """

    samples: list[Sample]
    left_out: list[str]
    drift: float | None


def timed(trials: Sequence[Trial], folder: Path, seconds: float, tell: Tell) -> Timed:
    """Time these trials, and then once more as many as there is time for, so that one bad moment spoils none.

    What does not fit into `seconds` is left out, with other numbers of threads all or nothing. Raises `UserError`
    without llama.cpp or room on the disk, and KeyboardInterrupt after Ctrl-C.
    """
    started = time.monotonic()
    sweeps: dict[str, list[list[Sample]]] = {}
    left: dict[str, str] = {}
    took: dict[str, float] = {}
    for trial in [*trials, *trials]:
        name, gone = label(trial), time.monotonic() - started
        if name in left:
            continue
        if gone + took.get(name, max(took.values(), default=0)) > seconds:
            left |= {} if name in sweeps else {name: NO_TIME}
            continue
        tell(name, gone, seconds)
        try:
            sweeps.setdefault(name, []).append(_timed(trial, folder))
        except Refused as refused:
            left[name] = str(refused)
        took[name] = time.monotonic() - started - gone
    told = [f"{name}: {reason}" for name, reason in left.items()]
    hurried = {trial.threads for trial in trials if left.get(label(trial)) == NO_TIME} - {trials[0].threads}
    every = [one for found in sweeps.values() for one in _faster(found)]
    return Timed(
        samples=[one for one in every if one.threads not in hurried],
        left_out=told,
        drift=_drift(sweeps),
    )


def _faster(sweeps: Sequence[Sequence[Sample]]) -> list[Sample]:
    return [min(both, key=lambda one: one.seconds) for both in zip(*sweeps, strict=True)]


def _drift(sweeps: Mapping[str, Sequence[Sequence[Sample]]]) -> float | None:
    ratios = [
        max(one.seconds, other.seconds) / min(one.seconds, other.seconds)
        for found in sweeps.values()
        if len(found) > 1
        for one, other in zip(*found[:2], strict=True)
    ]
    return median(ratios) if ratios else None


def label(trial: Trial) -> str:
    """What a reader calls a trial."""
    return f"{trial.name}, {trial.threads} thread{'s' * (trial.threads != 1)}"


def _timed(trial: Trial, folder: Path) -> list[Sample]:
    path = folder / "trial.gguf"
    found = tensors(trial.shape, trial.kinds)
    if ROOM * data_bytes(found) > shutil.disk_usage(folder).free:
        raise UserError(f"{folder} has no room for a model of {data_bytes(found) >> 20} MiB: free some")
    write_random(path, plan(trial.shape).metadata, found, {}, lambda _what, _done, _all: None)
    try:
        work = work_of(read_header(path))
        seen = run_worker(_order(trial, path), _workload(), STALL_S)
    finally:
        path.unlink()
    if seen.interrupted:
        raise KeyboardInterrupt
    if seen.failure is not None:
        raise Refused(seen.failure.message)
    return _samples(trial, work, seen)


def settings_of(trial: Trial) -> Settings:
    """The engine's settings for a trial: its defaults but for what the trial says."""
    usual: Settings = {name: setting.default for name, setting in LLAMA_CPP.settings.items()}
    own: Settings = {"threads": trial.threads, "kv": trial.kv, "flash": trial.flash, "context": CONTEXT}
    return usual | own


def _order(trial: Trial, path: Path) -> dict[str, Any]:
    own = {"depth", "prompt", "tokens"}
    tasks = [{name: getattr(task, name) for name in own} for task in trial.tasks]
    return order_of(
        ENGINE,
        path,
        settings_of(trial),
        mode="calibrate",
        tasks=tasks,
        rounds=ROUNDS,
        longest_s=LONGEST_S,
        workload={"prompt_tokens": 1, "output_tokens": 1, "depth": 0},
    )


def _workload() -> Workload:
    return Workload(id="calibration", method="raw", prompt_tokens=1, output_tokens=1)


def _samples(trial: Trial, work: Work, seen: Seen) -> list[Sample]:
    found = []
    for number, task in enumerate(trial.tasks):
        timed = [one for one in seen.timed if one.task == number]
        prompts = [one.prompt_ns for one in timed if one.prompt_ns is not None]
        if prompts:
            found.append(_sample(trial, work, task, task.prompt, median(prompts)))
        tokens = [ns for one in timed for ns in one.token_ns[1:]]
        if tokens:
            found.append(_sample(trial, work, task, 0, median(tokens)))
    return found


def _sample(trial: Trial, work: Work, task: Task, prompt: int, ns: float) -> Sample:
    depth = task.depth if prompt else task.depth + task.prompt + task.tokens / 2
    call = call_of(settings_of(trial), depth, prompt)
    return Sample(
        trial=trial.name,
        threads=trial.threads,
        prompt=prompt,
        depth=depth,
        seconds=ns / 1e9,
        terms=dict(terms(work, call)),
        fitted=trial.fitted,
    )
