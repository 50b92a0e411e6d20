"""Why a pass does not enter a figure, in words; `samples` decides whether it does."""

from __future__ import annotations

from profiler.analyse.intrusion import reasons
from profiler.analyse.samples import Samples
from profiler.runfile import Pass, Worker

WARM_UP = "the warm-up"


def left_out(done: Pass, worker: Worker, found: Samples, cores: int) -> str | None:
    """Why this pass of this worker counts for nothing; None where it counts."""
    stands = found.workers.get(worker.round) is worker
    if stands and any(done is kept for kept in found.passes.get(worker.round, ())):
        return None
    if done.number == 0:
        return WARM_UP
    if done.counters is None:
        return "the worker did not finish it"
    if worker.failure is not None:
        return f"the worker failed ({worker.failure.kind.replace('_', ' ')})"
    if not stands:
        return "round measured again, another attempt stands"
    return "; ".join(reasons(done, cores)) or "others disturbed it"
