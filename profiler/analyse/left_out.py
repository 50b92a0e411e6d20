"""Why a pass does not enter a figure, in words; `samples` decides whether it does."""

from __future__ import annotations

from profiler.analyse.intrusion import FOREIGN_SHARE_LIMIT, foreign_share, intruded
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
        return "another attempt at this round stands"
    return intrusion(done, cores)


def intrusion(done: Pass, cores: int) -> str:
    """What others did during an intruded pass."""
    share = foreign_share(done, cores)
    if share is None or not intruded(done, cores):
        return "others disturbed it"
    return f"others used {share:.0%} of the CPUs, over {FOREIGN_SHARE_LIMIT:.0%}"
