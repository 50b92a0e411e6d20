"""Who uses the CPU: the kernel's counters, the share of others, and waiting until that share is small."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import psutil

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
LONGEST_LINE = 1024
LONGEST_NAME = 24

SHORTEST_WALL_S = 0.5
"""/proc/stat advances by 10 ms: over less than this, a share of 5% is only a few ticks."""

LEAST_CORES = 0.05
"""A process that uses less is not worth naming."""

QUIET_SHARE = 0.06
"""Share of the CPU that others may use at a quiet start (noise study, sections 1 and 9)."""


class CpuTimes(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Seconds since start-up, summed over all CPUs: busy includes stolen time, idle waiting for I/O."""

    busy_s: float
    idle_s: float
    steal_s: float | None


class QuietStart(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the wait for a quiet machine ended: the last share seen, and None where it cannot be told."""

    waited_s: float
    foreign_share: float | None
    quiet: bool | None


class BusyNow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """CPU use by others in a short window: its share of all CPUs, and the busiest (name, cores).

    The names are for the screen of the person who asked; they are never stored.
    """

    foreign_share: float | None
    busiest: tuple[tuple[str, float], ...] = ()


def cpu_times(root: Path = Path("/")) -> CpuTimes | None:
    """The counters of /proc/stat, or psutil's on a system without it; None where neither tells."""
    try:
        with (root / "proc/stat").open(encoding="ascii") as file:
            name, *ticks = file.readline(LONGEST_LINE).split()
        return _from_ticks([int(tick) for tick in ticks]) if name == "cpu" and len(ticks) >= 4 else None
    except (OSError, ValueError):
        return None if platform.system() == "Linux" else _portable_cpu_times()


def _from_ticks(ticks: list[int]) -> CpuTimes:
    """Time in guests (the ninth and tenth field) is already part of user and nice time."""
    user, nice, system, idle, waiting, irq, softirq, steal = (*ticks, 0, 0, 0, 0)[:8]
    return CpuTimes(
        busy_s=(user + nice + system + irq + softirq + steal) / TICKS_PER_SECOND,
        idle_s=(idle + waiting) / TICKS_PER_SECOND,
        steal_s=steal / TICKS_PER_SECOND if len(ticks) >= 8 else None,
    )


def _portable_cpu_times() -> CpuTimes:
    times = psutil.cpu_times()
    return CpuTimes(
        busy_s=times.user + times.system + getattr(times, "nice", 0.0), idle_s=times.idle, steal_s=None
    )


def foreign_share(
    before: CpuTimes, after: CpuTimes, own_cpu_s: float, cores: int, wall_s: float
) -> float | None:
    """Share of `cores` that others used: (busy - own) / (cores x wall), within 0 and 1.

    `own_cpu_s` is the CPU time of the measured processes, `cores` the CPUs of the machine. None below half a
    second and for counters that ran backwards.
    """
    busy_s = after.busy_s - before.busy_s
    if wall_s < SHORTEST_WALL_S or cores < 1 or busy_s < 0:
        return None
    return min(max((busy_s - own_cpu_s) / (cores * wall_s), 0.0), 1.0)


def _busy_share(before: CpuTimes, after: CpuTimes) -> float | None:
    """Busy over busy and idle. On a loaded machine the kernel's count of waiting for I/O can step back."""
    busy_s = after.busy_s - before.busy_s
    total_s = busy_s + max(after.idle_s - before.idle_s, 0.0)
    return busy_s / total_s if busy_s >= 0 and total_s > 0 else None


def wait_until_quiet(
    limit: float = QUIET_SHARE,
    window_s: float = 0.6,
    give_up_s: float = 10.0,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    read: Callable[[], CpuTimes | None] = cpu_times,
) -> QuietStart:
    """Sleeps, window by window, until the CPU is used less than `limit`, or no window fits into `give_up_s`.

    This process counts as busy too: it sleeps. `quiet` is None where the counters cannot be read.
    """
    start, before = clock(), read()
    while True:
        if before is None:
            return QuietStart(waited_s=clock() - start, foreign_share=None, quiet=None)
        sleep(window_s)
        after, waited_s = read(), clock() - start
        share = _busy_share(before, after) if after else None
        quiet = None if share is None else share < limit
        if quiet or waited_s + window_s > give_up_s:
            return QuietStart(waited_s=waited_s, foreign_share=share, quiet=quiet)
        before = after


def busy_now(root: Path = Path("/"), window_s: float = 0.7, most: int = 3) -> BusyNow:
    """Watches the machine for `window_s`, asleep, and names the `most` busiest of the other processes."""
    used_before, before = _cpu_s_by_process(), cpu_times(root)
    time.sleep(window_s)
    after, used_after = cpu_times(root), _cpu_s_by_process()
    cores = [
        (name, (used_s - used_before.get(process, ("", 0.0))[1]) / window_s)
        for process, (name, used_s) in used_after.items()
    ]
    busiest = sorted((pair for pair in cores if pair[1] >= LEAST_CORES), key=lambda pair: -pair[1])
    share = _busy_share(before, after) if before and after else None
    return BusyNow(foreign_share=share, busiest=tuple(busiest[:most]))


def _cpu_s_by_process() -> dict[tuple[int, float], tuple[str, float]]:
    """Name and CPU seconds of every other process that may be read, by id and start: ids are used again."""
    seen = [process.info for process in psutil.process_iter(["pid", "create_time", "name", "cpu_times"])]
    return {
        (info["pid"], info["create_time"]): (_printable(info["name"] or "?"), _used_s(info["cpu_times"]))
        for info in seen
        if info["pid"] != os.getpid() and info["cpu_times"] is not None
    }


def _printable(name: str) -> str:
    """A program can name itself as it likes, terminal commands included."""
    return "".join(c if c.isprintable() else "?" for c in name)[:LONGEST_NAME]


def _used_s(times: Any) -> float:
    return float(times.user + times.system)
