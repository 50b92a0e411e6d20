"""What measuring and analysis both ask of a worker: which passes count, and what its start costs."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from profiler.runfile.records import Pass, Worker


def counted(passes: Sequence[Pass]) -> list[Pass]:
    """The passes that may enter a headline: finished, and not the warm-up."""
    return [done for done in passes if done.number > 0 and done.counters is not None]


def start_in_passes(worker: Worker) -> float | None:
    """What a worker costs beside its counted passes, in passes; None without any."""
    walls = [done.counters.wall_ns for done in counted(worker.passes) if done.counters is not None]
    if not walls or median(walls) <= 0:
        return None
    took_ns = worker.ended.mono_ns - worker.started.mono_ns
    return (took_ns - sum(walls)) / median(walls)
