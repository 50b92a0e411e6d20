"""How many passes a worker runs: more where starting it costs more than they do."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from profiler.runfile import Case, Pass, Plan, Worker

PASSES = 3
"""The least that has a median. More rounds beat more passes: long processes of a pair drift apart (docs/method.md)."""

MORE_PASSES = 5
DEAR_START = 3.0
"""A start is dear from three passes on."""


def passes_for(plan: Plan, case: Case, workers: Sequence[Worker]) -> int:
    """The passes of the next worker of a case, from what its first worker has shown."""
    first = next((w for w in workers if w.case == case.id and _counted(w)), None)
    if not plan.more_passes or first is None or _start_in_passes(first) <= DEAR_START:
        return plan.passes
    return max(plan.passes, MORE_PASSES)


def _counted(worker: Worker) -> list[Pass]:
    return [done for done in worker.passes if done.number > 0 and done.counters is not None]


def _start_in_passes(worker: Worker) -> float:
    """What a worker costs beside its counted passes, in passes."""
    walls = [done.counters.wall_ns for done in _counted(worker) if done.counters is not None]
    start_ns = worker.ended.mono_ns - worker.started.mono_ns - sum(walls)
    return start_ns / max(1, median(walls))
