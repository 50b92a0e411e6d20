"""Which passes other processes disturbed, judged from the kernel's counters alone and never by value."""

from __future__ import annotations

from collections.abc import Sequence

from profiler.runfile import Pass, Worker

FOREIGN_SHARE_LIMIT = 0.05
"""Others' CPU time over cores x pass time. Catches all passes more than twice too slow, 53% of those above
1.2 times, with 0.3% false flags (301 llama-bench processes; noise study, section 6)."""

SHORTEST_JUDGED_NS = 500_000_000
"""/proc/stat ticks at 10 ms: below half a second it cannot tell."""

SPOILED_SHARE = 0.5


def foreign_share(done: Pass, cores: int) -> float | None:
    """Other processes' share of all cores during a pass, or None where it cannot be judged."""
    counters = done.counters
    if counters is None or counters.busy_ns is None or counters.own_cpu_ns is None:
        return None
    if counters.wall_ns < SHORTEST_JUDGED_NS:
        return None
    return max(0.0, (counters.busy_ns - counters.own_cpu_ns) / (cores * counters.wall_ns))


def intruded(done: Pass, cores: int) -> bool:
    """Whether other processes took more of the machine during this pass than the limit."""
    share = foreign_share(done, cores)
    return share is not None and share > FOREIGN_SHARE_LIMIT


def counted(passes: Sequence[Pass]) -> list[Pass]:
    """The passes that may enter a headline: finished, and not the warm-up."""
    return [done for done in passes if done.number > 0 and done.counters is not None]


def spoiled(worker: Worker, cores: int) -> bool:
    """Whether more than half of a worker's passes were intruded: its round is then measured again."""
    passes = counted(worker.passes)
    if not passes:
        return False
    return sum(intruded(done, cores) for done in passes) > SPOILED_SHARE * len(passes)
