"""What the state of the board makes worth knowing of a row: undervoltage, throttling, a quota, a mode that changed.

All of it is what the device or its surroundings do; no pass is ever left out for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from statistics import median

from profiler.analyse.board import MODES, Pair, Readings, growth, new_words, pairs, words_of
from profiler.analyse.metrics import NS_PER_MS
from profiler.analyse.notices import Notice
from profiler.analyse.plural import plural
from profiler.runfile import Worker, counted

UNDER_VOLTAGE = "under-voltage"
SLOWED = ("throttled", "clock capped", "soft temperature limit")
"""Words of a firmware (Raspberry Pi documentation, vcgencmd get_throttled)."""

_STEP = re.compile(r"\b[1-9]\d* of \d+$")
"""A cooling device that holds the processor back: "2 of 5"."""

HOLDS_THE_CLOCK = {"performance", "userspace"}
"""Governors that ask for the same clock of an idle processor and of a busy one."""

BELOW = 0.10
"""How far a clock may lie below the one that was asked for: governors step by less."""

LEAST_HELD_NS = 1e6


def undervoltage(workers: Sequence[Worker]) -> Notice | None:
    """Told where the board says so now or newly, or counted it meanwhile."""
    if UNDER_VOLTAGE not in _words(workers) and not _counted(workers, lambda part: part == UNDER_VOLTAGE):
        return None
    return Notice(
        code="undervoltage",
        seen="the board reports under-voltage while the workers ran",
        advice="a stronger power supply or a shorter cable may make it faster; the passes stay in the figures",
    )


def slowed_down(workers: Sequence[Worker]) -> str | None:
    """How the board says that it slowed down, in words; None where it does not."""
    words = [word for word in _words(workers) if word in SLOWED or _STEP.search(word)]
    if words:
        return f"the board reports that it is held back: {', '.join(words)}"
    times = _counted(workers, lambda part: part != UNDER_VOLTAGE)
    return (
        f"the board slowed itself down {plural(round(times), 'time')} while the workers ran"
        if times
        else None
    )


def _words(workers: Sequence[Worker]) -> list[str]:
    """What the board says of itself now, and what came up newly since its start during one of these workers."""
    since = pairs(workers, "throttled_since_boot")
    now = [
        word
        for pair in pairs(workers, "throttled_now")
        for side in pair
        for part, value in side.items()
        for word in _with_step(part, words_of(value))
    ]
    parts = dict.fromkeys(part for _, after in since for part in after)
    return list(dict.fromkeys([*now, *(word for part in parts for word in new_words(part, since))]))


def _with_step(part: str, words: Sequence[str]) -> list[str]:
    """A step alone does not say of what."""
    return [f"{part} {word}" if _STEP.fullmatch(word) else word for word in words]


def _counted(workers: Sequence[Worker], of: Callable[[str], bool]) -> float:
    return _grown(workers, "throttle_count", of)


def _grown(workers: Sequence[Worker], topic: str, of: Callable[[str], bool] = bool) -> float:
    """How far that part moved in each worker which moved most, all workers together: parts may count the same."""
    moved = [[growth(part, pair) or 0 for part in pair[1] if of(part)] for pair in pairs(workers, topic)]
    return sum(max(steps, default=0) for steps in moved)


def quota_throttled(workers: Sequence[Worker]) -> Notice | None:
    """Told where a quota of CPU time made the workers wait."""
    held_ns = _grown(workers, "quota_throttled")
    if held_ns < LEAST_HELD_NS:
        return None
    return Notice(
        code="quota_throttled",
        seen=f"a CPU quota (cpu.max) held the workers back for {held_ns / NS_PER_MS:.0f} ms",
        advice="use as many threads as the quota has CPUs, or measure without one; the passes stay in the figures",
    )


def mode_changed(workers: Sequence[Worker]) -> Notice | None:
    """Told where the governor, the power mode or the source of power was not the same all the time."""
    changed = [
        f"{label} {' and '.join(words)}"
        for topic, label in MODES.items()
        for words in _words_by_part(pairs(workers, topic))
        if len(words) > 1
    ]
    if not changed:
        return None
    return Notice(
        code="mode_changed",
        seen=f"not the same in all workers: {'; '.join(dict.fromkeys(changed))}",
        advice="set it before the run and leave it alone: the figures mix both",
    )


def _words_by_part(told: Sequence[Pair]) -> list[list[str]]:
    found: dict[str, dict[str, None]] = {}
    for pair in told:
        for side in pair:
            for part, value in side.items():
                found.setdefault(part, {})[str(value)] = None
    return [list(words) for words in found.values()]


def clock_not_as_asked(workers: Sequence[Worker], turbo: bool) -> Notice | None:
    """Told where half of the workers ended with a clock well below the one that was asked for.

    A turbo clock is what one core may reach while others rest, so it is promised to none.
    """
    shares = [share for worker in workers if (share := _share(worker)) is not None]
    if turbo or not shares or median(ratio for ratio, _, _ in shares) >= 1 - BELOW:
        return None
    _, measured, asked = min(shares)
    return Notice(
        code="clock_not_as_asked",
        seen=f"the processor ran at {measured / 1e9:.2f} GHz at the end, and {asked / 1e9:.2f} GHz were asked for",
        advice="look at the power supply, the power mode and the temperature; the passes stay in the figures",
    )


def _share(worker: Worker) -> tuple[float, float, float] | None:
    """The lowest clock of this worker's end over the one asked for, and both in Hz.

    An idle processor rests: after the worker its clock tells something only under a governor that holds it. Where the
    cores are asked for different clocks, the lowest counts.
    """
    [(_, after)] = pairs([worker], "cpu_clock")
    [(_, asked)] = pairs([worker], "cpu_clock_asked")
    [(_, governors)] = pairs([worker], "governor")
    lowest = min(_numbers(asked), default=0)
    ends = [done.conditions.clock_hz for done in counted(worker.passes) if done.conditions]
    busy = [clock for clock in ends if clock]
    held = _numbers(after) if governors and HOLDS_THE_CLOCK.issuperset(map(str, governors.values())) else []
    clocks = [*([median(busy)] if busy else []), *held]
    if lowest <= 0 or not clocks:
        return None
    return min(clocks) / lowest, min(clocks), lowest


def _numbers(said: Readings) -> list[float]:
    return [value for value in said.values() if not isinstance(value, str) and value > 0]
