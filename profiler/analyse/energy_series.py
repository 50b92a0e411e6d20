"""The readings of one sensor as energy over time: joules between two moments, and how often it told something new."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import accumulate, pairwise
from statistics import median

import msgspec

from profiler.runfile import Samples, Sensor

NS_PER_S = 1e9

LONG_GAP = 5
"""Readings further apart than so many of the usual intervals: what the sensor did meanwhile is not known."""

RESET = 10
"""A counter that fell and would have wrapped at more than so many times the highest power seen was set to zero."""

PERIOD_KEPT = 0.9
"""Of its period a sensor may be early with something new."""


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """Energy since the first reading, at each reading, in joules.

    `watts` are those of a power gauge, which change linearly from reading to reading; a counter has none, and its power
    is the same all through an interval. `unknown` counts the intervals up to each reading whose energy is not known,
    `coarse` says of each interval whether it is too long for a moment within it. `news_ns` are the sensor's updates.
    """

    at_ns: list[int]
    joules: list[float]
    watts: list[float]
    unknown: list[int]
    coarse: list[bool]
    news_ns: list[int]
    interval_s: float | None

    def between(self, start_ns: int, end_ns: int) -> float | None:
        """Joules from one moment to a later one; None where the readings do not cover it or leave it open."""
        at = self.at_ns
        if len(at) < 2 or not at[0] <= start_ns < end_ns <= at[-1]:
            return None
        first, last = bisect_right(at, start_ns) - 1, bisect_left(at, end_ns) - 1
        split = (self.coarse[first] and start_ns > at[first], self.coarse[last] and end_ns < at[last + 1])
        if any(split) or self.unknown[last + 1] > self.unknown[first]:
            return None
        return self._until(last, end_ns) - self._until(first, start_ns)

    def updates(self, start_ns: int, end_ns: int) -> int:
        """How often the sensor told something new after one moment and up to another."""
        return bisect_right(self.news_ns, end_ns) - bisect_right(self.news_ns, start_ns)

    def _until(self, n: int, moment_ns: int) -> float:
        """Joules from the first reading to a moment in interval `n`."""
        elapsed_ns, length_ns = moment_ns - self.at_ns[n], self.at_ns[n + 1] - self.at_ns[n]
        share = elapsed_ns / length_ns
        if not self.watts:
            return self.joules[n] + (self.joules[n + 1] - self.joules[n]) * share
        mean = self.watts[n] + (self.watts[n + 1] - self.watts[n]) * share / 2
        return self.joules[n] + mean * elapsed_ns / NS_PER_S


def series(sensor: Sensor, samples: Samples) -> Series:
    """The readings of a sensor in the order of time; one that is not later than the one before is left out."""
    readings: list[tuple[int, float]] = []
    for at_ns, value in zip(samples.at_ns, samples.values, strict=False):
        if not readings or at_ns > readings[-1][0]:
            readings.append((at_ns, value))
    return _counted(sensor, readings) if sensor.quantity == "energy" else _gauged(sensor, readings)


def _counted(sensor: Sensor, readings: Sequence[tuple[int, float]]) -> Series:
    """A counter. Only a reading that moved is news: between two of them it runs on evenly.

    What it takes after its last news is told by the next one, which nobody read, unless it is clear that it rests. Of
    one that is read more often than it moves, the first news tells of a time before the first reading too.
    """
    kept = [readings[n] for n in range(len(readings)) if n == 0 or readings[n][1] != readings[n - 1][1]]
    if 1 < len(kept) < len(readings):
        kept = kept[1:]
    news_ns = [at_ns for at_ns, _ in kept]
    if readings and _rests(news_ns, readings[-1][0]):
        kept.append(readings[-1])
    lengths = [later - earlier for (earlier, _), (later, _) in pairwise(kept)]
    steps, known = _unwrapped(
        [later - earlier for (_, earlier), (_, later) in pairwise(kept)], lengths, sensor
    )
    return Series(
        at_ns=[at_ns for at_ns, _ in kept],
        joules=list(accumulate(steps, initial=0.0)),
        watts=[],
        unknown=list(accumulate((not sure for sure in known), initial=0)),
        coarse=_long(lengths),
        news_ns=news_ns,
        interval_s=_usual_s(lengths),
    )


def _rests(news_ns: Sequence[int], end_ns: int) -> bool:
    """Whether a counter has not moved for much longer than it usually takes, or never did."""
    silent_ns, usual_s = end_ns - news_ns[-1], _usual_s([b - a for a, b in pairwise(news_ns)])
    return silent_ns > (0 if usual_s is None else LONG_GAP * usual_s * NS_PER_S)


def _unwrapped(
    raw: Sequence[float], lengths: Sequence[int], sensor: Sensor
) -> tuple[list[float], list[bool]]:
    """The joules of each step with one wrap added where the counter fell, and whether they are known.

    A step is not known where a whole wrap would fit into its time at the highest power seen, or where the counter fell
    for another reason than its wrap.
    """
    wrap = sensor.wraps_at_j
    steps = [step + (wrap or 0.0) if step < 0 else step for step in raw]
    watts = [step / length * NS_PER_S for step, length in zip(steps, lengths, strict=True)]
    highest = max((power for power, step in zip(watts, raw, strict=True) if step >= 0), default=None)
    known = [
        step >= 0
        and (wrap is None or power * length < wrap * NS_PER_S)
        and (highest is None or wrap is None or highest * length < wrap * NS_PER_S)
        and (fell >= 0 or highest is None or power <= RESET * highest)
        for step, fell, power, length in zip(steps, raw, watts, lengths, strict=True)
    ]
    return [step if sure else 0.0 for step, sure in zip(steps, known, strict=True)], known


def _gauged(sensor: Sensor, readings: Sequence[tuple[int, float]]) -> Series:
    """A power gauge: trapezoids between its readings, and nothing across a long gap."""
    lengths = [later - earlier for (earlier, _), (later, _) in pairwise(readings)]
    steps = [
        (before + after) / 2 * length / NS_PER_S
        for ((_, before), (_, after)), length in zip(pairwise(readings), lengths, strict=True)
    ]
    coarse = _long(lengths)
    return Series(
        at_ns=[at_ns for at_ns, _ in readings],
        joules=list(accumulate(steps, initial=0.0)),
        watts=[watts for _, watts in readings],
        unknown=list(accumulate(coarse, initial=0)),
        coarse=coarse,
        news_ns=_news_ns(readings, sensor.period_s),
        interval_s=_usual_s(lengths),
    )


def _news_ns(readings: Sequence[tuple[int, float]], period_s: float | None) -> list[int]:
    """A reading is news where it differs from the one before, or where the sensor's period has passed since the last
    news. Of a sensor whose period is not known, equal readings may all be one."""
    news: list[int] = []
    before: float | None = None
    for at_ns, value in readings:
        due = bool(news) and period_s is not None and at_ns - news[-1] >= PERIOD_KEPT * period_s * NS_PER_S
        if value != before or due:
            news.append(at_ns)
        before = value
    return news


def _long(lengths: Sequence[int]) -> list[bool]:
    usual = median(lengths) if lengths else 0
    return [length > LONG_GAP * usual for length in lengths]


def _usual_s(lengths: Sequence[int]) -> float | None:
    return median(lengths) / NS_PER_S if lengths else None
