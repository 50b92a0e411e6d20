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


def passes_for(plan: Plan, case: Case, round_number: int, workers: Sequence[Worker]) -> int:
    """The passes of a worker of this case and round, from what the first visits of the run have shown.

    They are the same for all cases that were asked the same: medians of unlike numbers of passes are no fair pair.
    """
    if not plan.more_passes or round_number == 0:
        return plan.passes
    alike = {other.id for other in plan.cases if other.workload == case.workload}
    first = [w for w in workers if (w.round, w.attempt) == (0, 0) and w.case in alike and _counted(w)]
    dear = any(_start_in_passes(worker) > DEAR_START for worker in first)
    return max(plan.passes, MORE_PASSES) if dear else plan.passes


def _counted(worker: Worker) -> list[Pass]:
    return [done for done in worker.passes if done.number > 0 and done.counters is not None]


def _start_in_passes(worker: Worker) -> float:
    """What a worker costs beside its counted passes, in passes."""
    walls = [done.counters.wall_ns for done in _counted(worker) if done.counters is not None]
    start_ns = worker.ended.mono_ns - worker.started.mono_ns - sum(walls)
    return start_ns / max(1, median(walls))
