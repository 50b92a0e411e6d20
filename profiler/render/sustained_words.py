"""How a case kept its speed over minutes, in one clause."""

from __future__ import annotations

from profiler.analyse.metrics import METRICS
from profiler.analyse.sustained import NOT_READABLE, SAME_CLOCK, THROTTLED, Sustained
from profiler.render import format as fmt

_CAUSES = {THROTTLED: ", throttled", SAME_CLOCK: ", with the clock as before", NOT_READABLE: ""}


def settled(name: str, found: Sustained | None) -> str:
    """r1 Q4_0 settles at 80.0 tok/s from 2 min on, x0.800 of its first minute, throttled."""
    if found is None:
        return f"{name} has no course"
    early = f" and was cut short after {fmt.duration(found.lasted_s)}" if found.ended_early else ""
    return name + (_speed(found) or f" does not settle within {fmt.duration(found.lasted_s)}") + early


def _speed(found: Sustained) -> str:
    if found.settled is None or found.settled_from_s is None:
        return ""
    speed = f"{fmt.number(found.settled)} {METRICS[found.metric].unit}"
    if not found.settled_from_s:
        return f" keeps {speed} from the start"
    share = f", {fmt.ratio(found.ratio)} of its first minute" if found.ratio else ""
    cause = _CAUSES.get(found.cause or "", "")
    return f" settles at {speed} from {fmt.duration(found.settled_from_s)} on{share}{cause}"
