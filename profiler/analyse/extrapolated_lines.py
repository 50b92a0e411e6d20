"""Times of shapes of few layers, and the line through them: a + b x layers, in each round, at all layers of the model.

A round's value at all layers is a linear combination of its shapes' times, measured within one round: what slows the
whole machine for a while slows all of them. From one round to the next it is one value, as that of a measured row is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Literal

import msgspec

from profiler.analyse.estimate import PROMISED_LEVEL, Estimate
from profiler.analyse.metrics import Metric
from profiler.analyse.statistics import Interval, interval

EXTRAPOLATED = frozenset(
    {
        *("ttft_ms", "prefill_tps", "tpot_ms", "decode_tps", "pp_tps", "tg_tps"),
        *("itl_ms.first_tenth", "itl_ms.middle_tenth", "itl_ms.last_tenth"),
    }
)
"""Metrics that are a time of the model's layers, or the inverse of one."""

MODEL_ERROR = 0.03
"""What an extrapolated time may be wrong by beyond the noise of its rounds, as a share of it: an allowance, to be held
against `python -m bench.extrapolation`, which measures full shapes and extrapolates them in one run."""

PROMPT_METRICS = frozenset({"ttft_ms", "prefill_tps", "pp_tps"})
FEWER_EXPERTS_ERROR, FEWER_EXPERTS_PROMPT_ERROR = 0.15, 0.25
"""The same through shapes with fewer experts than the model, by one mixture that fits (docs/prediction.md): each of
them gets more rows of a prompt than an expert of the model does, and all of them lie closer together in memory."""

NOT_RISING = (
    "the time does not grow with the number of layers in these rounds: measure more rounds (--processes), or shapes "
    "of more layers (--layers)"
)
NOT_A_LINE = "the times of the shapes lie on no line: measure shapes of more layers (--layers)"
BELOW_ZERO = (
    "in the middle of its rounds the line falls below zero: measure more rounds, or shapes of more layers"
)

Error = Literal["allowance", "lack_of_fit"]


class RoundLine(msgspec.Struct, frozen=True, kw_only=True):
    """One round: the time of each shape, the line through them, and what it comes to at all layers.

    Times are in the metric's own unit; of a rate its inverse.
    """

    round: int
    times: list[float]
    a: float
    b: float
    full: float


class Lines(msgspec.Struct, frozen=True, kw_only=True):
    """All rounds of one metric of a model that is measured as shapes.

    Logs of times at all layers may be wrong by `error` beyond their noise: the allowance, or how far the deepest two of
    several shapes lead elsewhere, where that is more. `reason` says why there is no figure.
    """

    layers: list[int]
    full_layers: int
    rounds: list[RoundLine]
    error: float
    error_is: Error
    reason: str | None

    @property
    def on_log_scale(self) -> bool:
        """Whether every round has a log: one that a stall bent below zero has none."""
        return all(line.full > 0 for line in self.rounds)


def allowance(metric: Metric, *, fewer_experts: bool) -> float:
    """What an extrapolated time may be wrong by beyond the noise of its rounds, as a share of it."""
    if not fewer_experts:
        return MODEL_ERROR
    return FEWER_EXPERTS_PROMPT_ERROR if metric.name in PROMPT_METRICS else FEWER_EXPERTS_ERROR


def lines(
    layers: Sequence[int], full_layers: int, times: Sequence[Mapping[int, float]], allowance: float
) -> Lines:
    """The line of every round in which all shapes have a time. `times` has those of each shape by round."""
    common = [number for number in times[0] if all(number in of_shape for of_shape in times)]
    rounds = [
        _line(number, layers, full_layers, [of_shape[number] for of_shape in times]) for number in common
    ]
    lack = _lack_of_fit(layers, full_layers, rounds) if len(layers) > 2 and rounds else 0.0
    allowed = math.log1p(allowance)
    return Lines(
        layers=list(layers),
        full_layers=full_layers,
        rounds=rounds,
        error=allowed if lack is None else max(lack, allowed),
        error_is="lack_of_fit" if lack is not None and lack > allowed else "allowance",
        reason=_refused(rounds) or (NOT_A_LINE if lack is None else None),
    )


def _line(number: int, layers: Sequence[int], full_layers: int, times: Sequence[float]) -> RoundLine:
    a, b = least_squares(layers, times)
    return RoundLine(round=number, times=list(times), a=a, b=b, full=a + b * full_layers)


def least_squares(layers: Sequence[int], times: Sequence[float]) -> tuple[float, float]:
    """Intercept and slope of the line with the least squared distance from these times."""
    centre, mean = sum(layers) / len(layers), sum(times) / len(times)
    across = sum((count - centre) ** 2 for count in layers)
    b = sum((count - centre) * (time - mean) for count, time in zip(layers, times, strict=True)) / across
    return mean - b * centre, b


def _refused(rounds: Sequence[RoundLine]) -> str | None:
    if not rounds:
        return None
    if median(line.b for line in rounds) <= 0:
        return NOT_RISING
    return BELOW_ZERO if median(line.full for line in rounds) <= 0 else None


def _lack_of_fit(layers: Sequence[int], full_layers: int, rounds: Sequence[RoundLine]) -> float | None:
    """How far the deepest two shapes alone lead elsewhere, as a log: the median over rounds. None where they lead
    nowhere, below zero."""
    deepest = [_line(line.round, layers[-2:], full_layers, line.times[-2:]).full for line in rounds]
    ratios = [
        math.log(time / line.full)
        for time, line in zip(deepest, rounds, strict=True)
        if time > 0 and line.full > 0
    ]
    return abs(median(ratios)) if 2 * len(ratios) > len(rounds) else None


def log_values(metric: Metric, found: Lines) -> dict[int, float]:
    """For each round the log of the metric at all layers; none where a round has no log."""
    if found.reason is not None or not found.on_log_scale:
        return {}
    sign = -1 if inverse(metric) else 1
    return {line.round: sign * math.log(line.full) for line in found.rounds}


def inverse(metric: Metric) -> bool:
    """Whether a metric is the inverse of a time: all rates are, and more of them is better."""
    return metric.higher_is_better


def estimate(metric: Metric, found: Lines, level: float, passes: int, excluded: int) -> Estimate:
    """The figure at all layers. Its interval is that of the rounds' values, wider by what the line may be wrong by."""
    if found.reason is not None or not found.rounds:
        return Estimate(value=None, unit=metric.unit, reason=found.reason or metric.absent)
    times = [line.full for line in found.rounds]
    bounds = interval([math.log(time) for time in times] if found.on_log_scale else times, level)
    if bounds is None:
        value, low, high = times[0], None, None
    else:
        value, low, high = _widened(bounds, found)
    if value <= 0:
        return Estimate(value=None, unit=metric.unit, reason=BELOW_ZERO)
    if inverse(metric):
        value, low, high = 1 / value, _inverted(high), _inverted(low)
    return Estimate(
        value=value,
        low=low,
        high=high,
        level=None if bounds is None else PROMISED_LEVEL,
        unit=metric.unit,
        processes=len(found.rounds),
        passes=passes,
        excluded=excluded,
        provisional=bounds is not None and bounds.provisional,
        reason="one round has no spread" if bounds is None else None,
    )


def _widened(bounds: Interval, found: Lines) -> tuple[float, float | None, float | None]:
    """Centre and bounds of the time; a bound below zero is open."""
    less, more = math.exp(-found.error), math.exp(found.error)
    if not found.on_log_scale:
        return bounds.centre, bounds.low * less if bounds.low > 0 else None, bounds.high * more
    high = math.exp(bounds.high) * more if bounds.high < 700 else None
    return math.exp(bounds.centre), math.exp(bounds.low) * less, high


def _inverted(bound: float | None) -> float | None:
    return None if not bound else 1 / bound
