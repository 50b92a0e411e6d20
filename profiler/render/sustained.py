"""The course of speed, clock and temperature over minutes, as a few labelled lines for each case."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

import msgspec

from profiler.analyse.metrics import PASS_METRICS, Metric
from profiler.analyse.plural import plural
from profiler.analyse.report import Report
from profiler.analyse.sustained import NOT_READABLE, SAME_CLOCK, THROTTLED, UNTOLD, Sustained, Window
from profiler.render import format as fmt
from profiler.render import rows
from profiler.render.spark import spark

MOST_BLOCKS = 50
DISTURBED = "x"

LEAST_SPAN = 0.1
"""The lowest block stands at least this share below the highest: a steady course is to look steady."""

_METRICS = {metric.name: metric for metric in PASS_METRICS}
_CAUSES = {
    THROTTLED: "throttled",
    SAME_CLOCK: "slowed down, with the clock as before",
    NOT_READABLE: "slowed down, cause not readable",
}


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """A heading, and label and text of each line below it."""

    heading: str
    lines: list[tuple[str, str]]


def courses(report: Report) -> list[Course]:
    """The course of each case that has one, in the order of the rows."""
    names = rows.names(report)
    return [
        _course(f"{fmt.plain(row.id)} {names[row.id]}", row.sustained) for row in report.rows if row.sustained
    ]


def _course(name: str, found: Sustained) -> Course:
    metric = _METRICS[found.metric]
    lasted = f"{fmt.duration(found.lasted_s)} in {plural(len(found.windows), 'window')}"
    lines = [
        (metric.label, _speed(found.windows, metric.unit)),
        ("clock", _reading([w.clock_hz and w.clock_hz / 1e9 for w in found.windows], "GHz")),
        ("temperature", _reading([w.temperature_c for w in found.windows], "°C")),
        ("first minute", fmt.number(found.first_minute) + f" {metric.unit}" if found.first_minute else "-"),
        ("settled", _settled(found, metric)),
        ("slower", _onset(found)),
        ("disturbed", _disturbed(found.windows)),
        ("cut short", fmt.plain(found.ended_early or "")),
    ]
    return Course(
        heading=f"{name}: {metric.label} over {lasted}",
        lines=[(label, text) for label, text in lines if text],
    )


def _speed(windows: Sequence[Window], unit: str) -> str:
    speeds = [None if window.intruded else window.speed for window in windows]
    return _drawn(speeds, unit) or f"{DISTURBED * min(len(speeds), MOST_BLOCKS)} all windows disturbed"


def _reading(values: Sequence[float | None], unit: str) -> str:
    return _drawn(values, unit) or "not readable"


def _drawn(values: Sequence[float | None], unit: str) -> str:
    """Blocks, then the range in numbers; empty where no value is known."""
    known = [value for value in values if value is not None]
    if not known:
        return ""
    low, high = min(known), max(known)
    least = min(low, high - LEAST_SPAN * abs(high))
    blocks = "".join(DISTURBED if v is None else spark([v, high], least=least)[0] for v in _fewer(values))
    span = (
        fmt.number(low) if fmt.number(low) == fmt.number(high) else f"{fmt.number(low)} to {fmt.number(high)}"
    )
    return f"{blocks} {span} {unit}"


def _fewer(values: Sequence[float | None]) -> list[float | None]:
    """At most as many values as there is room for, each the mean of the known ones of its neighbours."""
    size = -(-len(values) // MOST_BLOCKS)
    groups = [values[n : n + size] for n in range(0, len(values), size)]
    known = [[value for value in group if value is not None] for group in groups]
    return [fmean(group) if group else None for group in known]


def _settled(found: Sustained, metric: Metric) -> str:
    if found.settled is not None and found.settled_from_s is not None:
        since = f"from {fmt.duration(found.settled_from_s)} on" if found.settled_from_s else "from the start"
        share = f", {fmt.ratio(found.ratio)} of the first minute" if found.ratio else ""
        return f"{fmt.number(found.settled)} {metric.unit} {since}{share} (one process, no interval)"
    if found.last_third is None or found.last_third_low is None or found.last_third_high is None:
        return found.reason or ""
    low, high = fmt.number(found.last_third_low), fmt.number(found.last_third_high)
    return f"not within 3%: {low} to {high} {metric.unit} in the last third, median {fmt.number(found.last_third)}"


def _onset(found: Sustained) -> str:
    if found.cause == UNTOLD:
        return "cannot be told: others used this machine in most windows"
    if found.onset_s is None or found.cause is None:
        return "never by 5% for two windows in a row" if found.first_minute else ""
    return f"from {fmt.duration(found.onset_s)} on: {_CAUSES[found.cause]}"


def _disturbed(windows: Sequence[Window]) -> str:
    count = sum(window.intruded for window in windows)
    if not count:
        return ""
    return f"{count} of {plural(len(windows), 'window')} by others, marked {DISTURBED} and left out of the figures"
