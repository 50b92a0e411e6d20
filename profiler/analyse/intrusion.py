"""Which passes other programs disturbed, judged from the kernel's counters alone and never by how slow they were.

Intrusion is what others do to the measurement: such passes are kept in the run file, marked, left out of the headline,
and measured again. What the device does by itself (heat, clocks, its own paging) is behaviour and is never left out.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from profiler.runfile import Counters, Pass, Worker, counted

SHORTEST_JUDGED_NS = 300_000_000
"""/proc/stat ticks at 10 ms: below this, a share of CPU time needs a second witness. In 696 undisturbed passes of the
recorded A/A run others' time was read as 25 ms at most; the limit is 30 ms for 0.3 s of two cores."""

SPOILED_SHARE = 0.5
"""A round is measured again when more than this share of a worker's passes was intruded."""

SWAP_READAHEAD = 8
"""Pages that the kernel reads from swap at one fault (vm.page-cluster 3): those of our own faults are not others'."""


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """One way in which others disturb a pass: what is read, from which share or rate on it counts, and why there."""

    name: str
    read: str
    limit: float
    unit: str
    why: str


FOREIGN_CPU = Limit(
    name="others' CPU time",
    read="/proc/stat busy time less our own, over all cores x pass time",
    limit=0.05,
    unit="%",
    why="marks every pass more than twice too slow and 53% of those above 1.2 times, with 0.3% false marks "
    "(noise study); 50% of those above 1.2 times in the recorded A/A run, where 3% finds nothing more",
)
STEAL = Limit(
    name="steal",
    read="/proc/stat steal, over all cores x pass time",
    limit=0.05,
    unit="%",
    why="time that somebody else had, as with others' CPU time; a single tick alone would mark 10% of quiet passes "
    "(noise study)",
)
CPU_PRESSURE = Limit(
    name="CPU pressure",
    read="/proc/pressure/cpu some, over pass time",
    limit=0.10,
    unit="%",
    why="the second witness of passes under 0.3 s, beside others' CPU time: above 10% in every pass that others' CPU "
    "time marks in the recorded A/A run; alone it proves nothing, since threads of our own may wait for each other",
)
MEMORY_PRESSURE = Limit(
    name="memory pressure",
    read="/proc/pressure/memory some, over pass time, where no page of ours was read from the disk",
    limit=0.05,
    unit="%",
    why="others wait for memory while we do not; where we wait ourselves, the model is too large, which is behaviour",
)
SWAP = Limit(
    name="swap by others",
    read="/proc/vmstat pswpin, less 8 pages for each of our own major faults, over pass time",
    limit=256.0,
    unit="pages/s",
    why="1 MiB/s read back for others takes memory bandwidth and a disk; ours is behaviour",
)
LIMITS = (FOREIGN_CPU, STEAL, CPU_PRESSURE, MEMORY_PRESSURE, SWAP)
"""The table of limits, as docs/method.md prints it."""


def foreign_share(counters: Counters | None, cores: int) -> float | None:
    """Other processes' share of all cores during a pass, or None where it was not counted."""
    if counters is None or counters.busy_ns is None or counters.own_cpu_ns is None or not counters.wall_ns:
        return None
    return max(0.0, (counters.busy_ns - counters.own_cpu_ns) / (cores * counters.wall_ns))


def _steal_share(counters: Counters, cores: int) -> float | None:
    return _share(counters.steal_ns, cores * counters.wall_ns)


def _memory_pressure(counters: Counters, _: int) -> float | None:
    return None if counters.major_faults else _share(counters.memory_pressure_ns, counters.wall_ns)


def _others_swap(counters: Counters, _: int) -> float | None:
    """Pages a second that were read from swap for others."""
    if counters.swapped_in_pages is None or counters.major_faults is None:
        return None
    others = counters.swapped_in_pages - SWAP_READAHEAD * counters.major_faults
    return _share(max(0, others), counters.wall_ns / 1e9)


def _share(part: float | None, whole: float) -> float | None:
    return None if part is None or whole <= 0 else part / whole


_RULES: tuple[tuple[Limit, Callable[[Counters, int], float | None]], ...] = (
    (FOREIGN_CPU, foreign_share),
    (STEAL, _steal_share),
    (MEMORY_PRESSURE, _memory_pressure),
    (SWAP, _others_swap),
)


def reasons(done: Pass, cores: int) -> list[str]:
    """Why a pass counts as intruded, one clause for each limit that was passed; empty for an undisturbed one."""
    counters = done.counters
    if counters is None or not _may_be_judged(counters):
        return []
    read = [(limit, formula(counters, cores)) for limit, formula in _RULES]
    return [f"{limit.name} {_shown(limit, v)}" for limit, v in read if v is not None and v > limit.limit]


def _may_be_judged(counters: Counters) -> bool:
    """Whether ticks of 10 ms can tell, or the pressure of the CPU, which is counted in microseconds, bears them out."""
    if counters.wall_ns >= SHORTEST_JUDGED_NS:
        return True
    pressure = _share(counters.cpu_pressure_ns, counters.wall_ns)
    return pressure is not None and pressure > CPU_PRESSURE.limit


def _shown(limit: Limit, value: float) -> str:
    if limit.unit == "%":
        return f"{100 * value:.0f}% > {100 * limit.limit:.0f}%"
    return f"{value:.0f} > {limit.limit:.0f} {limit.unit}"


def intruded(done: Pass, cores: int) -> bool:
    """Whether others disturbed this pass more than the limits allow."""
    return bool(reasons(done, cores))


def unjudged(done: Pass) -> bool:
    """Whether nothing can tell if others disturbed this pass: too short, and no pressure is counted here."""
    counters = done.counters
    if counters is None or counters.busy_ns is None or counters.own_cpu_ns is None:
        return True
    return counters.wall_ns < SHORTEST_JUDGED_NS and counters.cpu_pressure_ns is None


def spoiled(worker: Worker, cores: int) -> bool:
    """Whether more than half of a worker's passes were intruded: its round is then measured again."""
    passes = counted(worker.passes)
    if not passes:
        return False
    return sum(intruded(done, cores) for done in passes) > SPOILED_SHARE * len(passes)
