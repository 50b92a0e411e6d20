"""How many passes a worker runs: more where starting it costs more than they do."""

from __future__ import annotations

from collections.abc import Sequence

from profiler.runfile import Case, Plan, Worker, start_in_passes

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
    first = [w for w in workers if (w.round, w.attempt) == (0, 0) and w.case in alike]
    dear = any((start_in_passes(worker) or 0) > DEAR_START for worker in first)
    return max(plan.passes, MORE_PASSES) if dear else plan.passes
