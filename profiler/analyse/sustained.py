"""Speed over minutes: one long worker of a case, in windows, with clock and temperature.

Windows of one process are not independent, so nothing here has an interval; the range of windows is shown instead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from statistics import fmean, median

import msgspec

from profiler.analyse.behaviour import clock_of, hottest, throttle_events
from profiler.analyse.intrusion import intruded
from profiler.analyse.metrics import NS_PER_S
from profiler.analyse.notices import Notice
from profiler.runfile import Case, Pass, Worker, Workload, counted

WINDOW_S = 6.0
"""A tenth of a minute; a longer pass is a window of its own."""

FIRST_S = 60.0
SETTLED_WITHIN = 0.03
SLOWER_BY, CLOCK_DROP = 0.05, 0.05
ENOUGH = 0.99
"""A worker that lasted for less than this share of the time asked for was cut short."""

THROTTLED, SAME_CLOCK, NOT_READABLE = "throttled", "same_clock", "not_readable"
UNTOLD = "disturbed"
"""Others disturbed more than half of the windows: whether it slowed down cannot be told."""

Quiet = Sequence["Window"]


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """Some seconds of passes, counted from the first one's start. `speed` is work over time of all its passes.

    Clock (mean) and temperature (highest) are those at the ends of its passes. An `intruded` window is one that
    others disturbed: it enters no figure.
    """

    start_s: float
    end_s: float
    passes: int
    speed: float
    clock_hz: float | None
    temperature_c: float | None
    throttle_events: int | None
    intruded: bool


class Sustained(msgspec.Struct, frozen=True, kw_only=True):
    """The course of one case. Speeds are medians of undisturbed windows, in the unit of `metric`.

    `settled` holds from `settled_from_s` on: every window from there stays within 3% of the median of the last third;
    None where it did not settle, and `reason` says so. `ratio` is settled over the first minute. `onset_s` is when it
    became slower than the first minute for two windows in a row, `cause` why: "throttled" (clock or throttle
    counter say so), "same_clock" (neither does) or "not_readable". `ended_early` is what cut it short.
    """

    metric: str
    asked_s: float
    lasted_s: float
    windows: list[Window]
    first_minute: float | None
    last_third: float | None
    last_third_low: float | None
    last_third_high: float | None
    settled: float | None
    settled_from_s: float | None
    ratio: float | None
    reason: str | None
    onset_s: float | None
    cause: str | None
    ended_early: str | None


def sustained(case: Case, workers: Sequence[Worker], asked_s: float, cores: int) -> Sustained | None:
    """The course of a case by its longest worker, one that failed in the end included; None without passes."""
    worker = max(workers, key=lambda w: len(counted(w.passes)), default=None)
    metric, work = _speed_of(case.workload)
    passes = [done for done in counted(worker.passes) if work(done)] if worker else []
    if worker is None or not passes:
        return None
    found = windows(passes, work, cores)
    quiet = [window for window in found if not window.intruded]
    first, last = _first_minute(quiet), _last_third(quiet, found[-1].end_s)
    settled_from = _settled_from(quiet, last)
    speed = median(w.speed for w in quiet if w.start_s >= settled_from) if settled_from is not None else None
    onset, cause = _onset(quiet, first) if 2 * len(quiet) >= len(found) else (None, UNTOLD)
    return Sustained(
        metric=metric,
        asked_s=asked_s,
        lasted_s=found[-1].end_s,
        windows=found,
        first_minute=first,
        last_third=median(last) if last else None,
        last_third_low=min(last, default=None),
        last_third_high=max(last, default=None),
        settled=speed,
        settled_from_s=settled_from,
        ratio=speed / first if speed and first else None,
        reason=_reason(first, last, settled_from),
        onset_s=onset,
        cause=cause,
        ended_early=_ended_early(worker, found[-1].end_s, asked_s),
    )


Work = Callable[[Pass], tuple[float, int] | None]
"""Tokens of a pass and the nanoseconds that they took; None where one of them is missing or 0."""


def _speed_of(workload: Workload) -> tuple[str, Work]:
    """The metric that is followed over time, and the work of one pass by it."""
    prompt = workload.prompt_tokens

    def prefill(done: Pass) -> tuple[float, int] | None:
        return (prompt, done.evaluated_ns) if prompt and done.evaluated_ns else None

    def decode(done: Pass) -> tuple[float, int] | None:
        if len(done.token_ns) < 2 or done.token_ns[-1] <= done.token_ns[0]:
            return None
        return len(done.token_ns) - 1, done.token_ns[-1] - done.token_ns[0]

    def generate(done: Pass) -> tuple[float, int] | None:
        return (len(done.token_ns), done.token_ns[-1]) if done.token_ns and done.token_ns[-1] else None

    if workload.method == "raw":
        return ("pp_tps", prefill) if prompt else ("tg_tps", generate)
    return ("decode_tps", decode) if workload.output_tokens > 1 else ("prefill_tps", prefill)


def windows(passes: Sequence[Pass], work: Work, cores: int) -> list[Window]:
    """Passes in their order, as many to a window as fill six seconds; what is left at the end joins the last one."""
    groups = [[passes[0]]]
    for done in passes[1:]:
        if _is_full(groups[-1]):
            groups.append([])
        groups[-1].append(done)
    rest = [] if len(groups) == 1 or _is_full(groups[-1]) else groups.pop()
    groups[-1] += rest
    zero = passes[0].start_ns
    return [_window(group, work, cores, zero) for group in groups]


def _is_full(passes: Sequence[Pass]) -> bool:
    return _end_ns(passes[-1]) - passes[0].start_ns >= WINDOW_S * NS_PER_S


def _window(passes: Sequence[Pass], work: Work, cores: int, zero_ns: int) -> Window:
    done = [found for found in map(work, passes) if found is not None]
    clocks = [clock for clock in map(clock_of, passes) if clock is not None]
    return Window(
        start_s=(passes[0].start_ns - zero_ns) / NS_PER_S,
        end_s=(_end_ns(passes[-1]) - zero_ns) / NS_PER_S,
        passes=len(passes),
        speed=sum(tokens for tokens, _ in done) / sum(ns for _, ns in done) * NS_PER_S,
        clock_hz=fmean(clocks) if clocks else None,
        temperature_c=hottest(passes),
        throttle_events=throttle_events(passes),
        intruded=any(intruded(one, cores) for one in passes),
    )


def _end_ns(done: Pass) -> int:
    return done.start_ns + max(done.evaluated_ns or 0, *done.token_ns[-1:], 0)


def _first_minute(quiet: Quiet) -> float | None:
    speeds = [window.speed for window in quiet if window.start_s < FIRST_S]
    return median(speeds) if speeds else None


def _last_third(quiet: Quiet, lasted_s: float) -> list[float]:
    """Speeds of the windows that reach into it: where passes are long, none may begin there."""
    return [window.speed for window in quiet if window.end_s > lasted_s * 2 / 3]


def _settled_from(quiet: Quiet, last: Sequence[float]) -> float | None:
    """When the last stretch begins in which every window is as fast as the last third; None if it is shorter."""
    if not last:
        return None
    centre = median(last)
    steady = 0
    for window in reversed(quiet):
        if abs(window.speed / centre - 1) > SETTLED_WITHIN:
            break
        steady += 1
    return quiet[-steady].start_s if steady >= len(last) else None


def _onset(quiet: Quiet, first: float | None) -> tuple[float | None, str | None]:
    """From when on two windows in a row were slower than the first minute, and why.

    Where the first two windows were both faster than that, slower than those: many a laptop throttles in the minute.
    """
    if first is None or len(quiet) < 2:
        return None, None
    fast = max(first, min(window.speed for window in quiet[:2]))
    clocks = [w.clock_hz for w in quiet if w.start_s < FIRST_S and w.clock_hz is not None]
    pairs = [(a, b) for a, b in pairwise(quiet) if max(a.speed, b.speed) <= (1 - SLOWER_BY) * fast]
    for a, b in pairs:
        if _slowed_itself_down(a, b, max(clocks, default=None)):
            return a.start_s, THROTTLED
    if not pairs:
        return None, None
    readable = all(w.clock_hz is not None for pair in pairs for w in pair) and clocks
    return pairs[0][0].start_s, SAME_CLOCK if readable else NOT_READABLE


def _slowed_itself_down(a: Window, b: Window, clock_before: float | None) -> bool:
    if a.throttle_events or b.throttle_events:
        return True
    if clock_before is None or a.clock_hz is None or b.clock_hz is None:
        return False
    return max(a.clock_hz, b.clock_hz) < (1 - CLOCK_DROP) * clock_before


def _reason(first: float | None, last: Sequence[float], settled_from: float | None) -> str | None:
    if first is None or not last:
        return f"others used this machine in every window of the {'last third' if first else 'first minute'}"
    return None if settled_from is not None else "it did not settle"


def _ended_early(worker: Worker, lasted_s: float, asked_s: float) -> str | None:
    if worker.failure is not None:
        return worker.failure.message
    if lasted_s >= ENOUGH * asked_s:
        return None
    return "it was interrupted, or had made as many passes as one worker may report"


STARTED_WARM_C = 3.0


def start_notice(case_id: str, workers: Sequence[Worker]) -> Notice | None:
    """Whether a case started warmer than the first one, or may have. `workers` are all of the run, in their order."""
    visited = [worker for worker in workers if worker.conditions is not None]
    own = next((worker for worker in visited if worker.case == case_id), None)
    if own is None or own is visited[0]:
        return None
    before, now = (w.conditions.temperature_c if w.conditions else None for w in (visited[0], own))
    if before is None or now is None:
        return Notice(
            code="start_temperature_unknown",
            seen="the temperature is not readable here, so this case may have started warmer than the first one",
            advice="compare the first minutes of cases only after the device has cooled down: one case a run",
        )
    if now <= before + STARTED_WARM_C:
        return None
    return Notice(
        code="started_warm",
        seen=f"it started at {now:.0f} degrees, the first case at {before:.0f}, and waiting did not cool it down",
        advice="its first minute is not that of a cool device: run it alone",
    )
