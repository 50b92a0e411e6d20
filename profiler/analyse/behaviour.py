"""How the device behaved under the load: throttling, clock, heat. None of it is ever left out of a figure.

It is what the device does with this model; a reader must know it, and that is all.
"""

from __future__ import annotations

from collections.abc import Sequence

from profiler.analyse.board import boards
from profiler.analyse.board_notices import (
    clock_not_as_asked,
    mode_changed,
    quota_throttled,
    slowed_down,
    undervoltage,
)
from profiler.analyse.notices import Notice
from profiler.analyse.plural import plural
from profiler.analyse.samples import Samples
from profiler.runfile import Device, Pass, Worker

CLOCK_DROP = 0.10
"""How far the clock at the end of a pass may lie below the highest of its case: governors step by less."""

HOT_C = 80.0
"""Where no profile tells a limit: from here on a Raspberry Pi slows its cores down (Raspberry Pi documentation,
frequency management and thermal control); the limits of other processors are higher."""

NEAR_LIMIT_C = 5.0


def behaviour_notices(found: Samples, device: Device, turbo: bool = False) -> list[Notice]:
    """What the passes in the headline of one case say of the processor, and their workers of the board."""
    passes = [done for several in found.passes.values() for done in several]
    hot_from = HOT_C if device.throttle_celsius is None else device.throttle_celsius - NEAR_LIMIT_C
    workers = [worker for number in found.passes if boards(worker := found.workers[number])]
    slowed = _throttling(passes, hot_from, workers)
    candidates = [
        slowed or clock_not_as_asked(workers, turbo),
        _hot(passes, hot_from),
        undervoltage(workers),
        quota_throttled(workers),
        mode_changed(workers),
    ]
    return [notice for notice in candidates if notice is not None]


def _throttling(passes: Sequence[Pass], hot_from: float, workers: Sequence[Worker]) -> Notice | None:
    """What counters and clocks of the passes say; else what the board says, which knows better why a clock fell."""
    seen, board = _slowed_down(passes, hot_from), slowed_down(workers)
    return _throttled(board) if board and (seen is None or seen.code != "throttled") else seen


def _slowed_down(passes: Sequence[Pass], hot_from: float) -> Notice | None:
    """Throttled, where counters say so or a clock fell that was hot, or may have been; else the clock fell."""
    events = throttle_events(passes)
    if events:
        return _throttled(f"the processor slowed itself down {plural(events, 'time')} during the passes")
    fallen = [done for done in passes if _drop(done, passes) > CLOCK_DROP]
    if not fallen:
        return None
    seen = _fall(passes)
    temperature = hottest(fallen)
    if temperature is None:
        return _throttled(f"{seen} where the temperature is not readable")
    if temperature >= hot_from:
        return _throttled(f"{seen} at {temperature:.0f} degrees")
    return Notice(
        code="clock_dropped",
        seen=f"{seen} at {temperature:.0f} degrees, which is not hot",
        advice="look at the governor, the power mode and the power supply; the passes stay in the figures",
    )


def _throttled(seen: str) -> Notice:
    return Notice(
        code="throttled",
        seen=seen,
        advice="this is how the device runs under such a load, so the passes stay in the figures; "
        "--sustained shows it over time",
    )


def _drop(done: Pass, passes: Sequence[Pass]) -> float:
    """How far the clock at the end of this pass lies below the highest, as a share; 0 where it is not known."""
    clocks = _clocks(passes)
    own = clock_of(done)
    return 0.0 if own is None or not clocks else 1 - own / max(clocks)


def _fall(passes: Sequence[Pass]) -> str:
    high, low = max(_clocks(passes)), min(_clocks(passes))
    return f"the clock fell from {high / 1e9:.2f} to {low / 1e9:.2f} GHz, by {1 - low / high:.0%},"


def _hot(passes: Sequence[Pass], hot_from: float) -> Notice | None:
    temperature = hottest(passes)
    if temperature is None or temperature < hot_from:
        return None
    return Notice(
        code="hot",
        seen=f"the processor reached {temperature:.0f} degrees",
        advice="it is about to slow down, or does so already: cool it, or take the figures as those of a hot device",
    )


def clock_of(done: Pass) -> int | None:
    """The clock in Hz at the end of a pass; None where it was not readable."""
    return done.conditions.clock_hz or None if done.conditions else None


def _clocks(passes: Sequence[Pass]) -> list[int]:
    return [clock for clock in map(clock_of, passes) if clock is not None]


def hottest(passes: Sequence[Pass]) -> float | None:
    """The highest temperature in degrees Celsius at the ends of passes; None where it was not readable."""
    read = [done.conditions.temperature_c for done in passes if done.conditions]
    return max((value for value in read if value is not None), default=None)


def throttle_events(passes: Sequence[Pass]) -> int | None:
    """How often the processor slowed itself down during these passes; None where nothing counts it."""
    moved = [done.counters.throttle_events for done in passes if done.counters]
    known = [max(0, count) for count in moved if count is not None]
    return sum(known) if known else None
