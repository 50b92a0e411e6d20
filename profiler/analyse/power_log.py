"""An external meter's log as a sensor among the others: its readings brought from the wall clock to that of the stamps.

Two anchors of one worker, or of one idle time, tie the clocks to each other at its start and end; what lies between is
read off the line through them, so a clock that runs fast or slow is followed.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import pairwise
from statistics import median

from profiler.analyse.energy_series import NS_PER_S
from profiler.runfile import Anchor, PowerLog, Samples, Sensor

LOG = "power_log"

MOST_DRIFT, ANCHOR_NS = 1e-3, 20_000_000
"""How far the clocks may part, as a share of the time and for reading them: a kernel slews a clock by less (adjtimex,
at most 500 parts in a million each way). What parts further was set."""


def log_sensor(log: PowerLog) -> Sensor:
    """The meter that wrote this log: all that the device takes, something new in every line."""
    gaps = [later - earlier for earlier, later in pairwise(sorted(log.wall_ns))]
    usual_s = median(gaps) / NS_PER_S if gaps else 0.0
    return Sensor(
        id=LOG,
        source=LOG,
        name=log.name,
        scope="device",
        quantity="power",
        period_s=usual_s if usual_s > 0 else None,
    )


def in_order(log: PowerLog) -> list[tuple[int, float]]:
    """Its lines in the order of time: nanoseconds on the wall clock, and watts."""
    return sorted(zip(log.wall_ns, log.watts, strict=False))


def on_stamps(lines: list[tuple[int, float]], started: Anchor, ended: Anchor, beside: int = 1) -> Samples:
    """The readings between two anchors and so many `beside` them on either side, on the clock of the stamps.

    None at all where the wall clock was set in between: no line leads from one anchor to the other.
    """
    wall_ns, mono_ns = ended.wall_ns - started.wall_ns, ended.mono_ns - started.mono_ns
    if min(wall_ns, mono_ns) <= 0 or abs(wall_ns - mono_ns) > MOST_DRIFT * mono_ns + ANCHOR_NS:
        return Samples()
    first = bisect_left(lines, (started.wall_ns,)) - beside
    last = bisect_right(lines, (ended.wall_ns, float("inf"))) + beside
    shown = lines[max(0, first) : last]
    return Samples(
        at_ns=[started.mono_ns + (at - started.wall_ns) * mono_ns // wall_ns for at, _ in shown],
        values=[watts for _, watts in shown],
    )
