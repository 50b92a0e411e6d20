"""When each pass of a run was measured, and what became of it: a reader sees at which moments others disturbed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, pairwise
from typing import Literal

import msgspec

from profiler.analyse.intrusion import reasons
from profiler.analyse.left_out import left_out
from profiler.analyse.study import Study
from profiler.runfile import Pass, Worker

NS_PER_MINUTE = 60e9
LONGEST_PAUSE_MIN = 5.0
"""A longer time without any worker (a run that was resumed) is cut out of the timeline."""

Fate = Literal["counted", "kept", "disturbed", "again", "failed"]


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """Successive passes of one worker with one fate, in minutes since the first worker's start, pauses cut out.

    `fate` is "counted", "kept" (counted although others disturbed it), "disturbed" (left out for that), "again" (of
    a round that was measured again) or "failed" (of a worker that failed, or not finished). `why` are its reasons.
    """

    row: str
    round: int
    start_min: float
    end_min: float
    passes: int
    fate: Fate
    why: str | None


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """The spans of a run by time, its length without pauses, and the minutes that were cut out."""

    spans: list[Span]
    length_min: float
    paused_min: float


def timeline(study: Study, shown: Iterable[str]) -> Timeline | None:
    """The passes of these rows, warm-ups apart; None where no worker ran."""
    every = [worker for mine in study.workers.values() for worker in mine]
    if not every:
        return None
    offsets, length, paused = _offsets(every)
    spans = [
        span
        for row in shown
        for worker in study.workers[row]
        for span in _spans(study, worker, offsets[id(worker)])
    ]
    return Timeline(
        spans=sorted(spans, key=lambda span: span.start_min), length_min=length, paused_min=paused
    )


def _offsets(workers: Sequence[Worker]) -> tuple[dict[int, float], float, float]:
    """For each worker the minute of its start; then the end of the last one, and the minutes of pauses cut out."""
    ordered = sorted(workers, key=lambda worker: worker.started.wall_ns)
    zero, paused = ordered[0].started.wall_ns, 0.0
    starts = {id(ordered[0]): 0.0}
    for before, worker in pairwise(ordered):
        pause = (worker.started.wall_ns - before.ended.wall_ns) / NS_PER_MINUTE
        paused += pause if pause > LONGEST_PAUSE_MIN else 0.0
        starts[id(worker)] = (worker.started.wall_ns - zero) / NS_PER_MINUTE - paused
    return starts, max(starts[id(worker)] + _minutes(worker) for worker in ordered), paused


def _minutes(worker: Worker) -> float:
    return max(0, worker.ended.mono_ns - worker.started.mono_ns) / NS_PER_MINUTE


def _spans(study: Study, worker: Worker, offset: float) -> Iterator[Span]:
    passes = [done for done in worker.passes if done.number > 0]
    for fate, group in groupby(passes, key=lambda done: _fate(study, worker, done)):
        mine = list(group)
        why = dict.fromkeys(reason for done in mine for reason in reasons(done, study.cores))
        yield Span(
            row=worker.case,
            round=worker.round,
            start_min=offset + _since_start(worker, mine[0].start_ns),
            end_min=offset + _since_start(worker, _end_ns(mine[-1])),
            passes=len(mine),
            fate=fate,
            why="; ".join(why) or None,
        )


def _since_start(worker: Worker, at_ns: int) -> float:
    """Minutes since the worker's start, within its life: engines may stamp with a clock of their own."""
    return min(max(0, at_ns - worker.started.mono_ns) / NS_PER_MINUTE, _minutes(worker))


def _end_ns(done: Pass) -> int:
    return done.start_ns + max(done.evaluated_ns or 0, *done.token_ns[-1:], 0)


def _fate(study: Study, worker: Worker, done: Pass) -> Fate:
    why, by_others = (
        left_out(done, worker, study.samples[worker.case], study.cores),
        reasons(done, study.cores),
    )
    if why is None:
        return "kept" if by_others else "counted"
    if worker.failure is not None or done.counters is None:
        return "failed"
    return "disturbed" if by_others else "again"
