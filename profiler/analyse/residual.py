"""What was predicted before a run beside what it measured: residuals, and the share of what memory would allow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from profiler.analyse.amounts import number
from profiler.analyse.bandwidth import speed
from profiler.analyse.estimate import Estimate
from profiler.analyse.metrics import METRICS
from profiler.runfile import Case, Predicted, PredictedFigure

TIMES_RANGE, LEAST_FAR = 2, 0.1
"""Far outside is twice as far from the predicted value as its range reaches (as ratios), and a tenth of it at least."""

TOLD_FIRST = ("decode_tps", "ttft_ms", "tg_tps", "pp_tps", "prefill_tps")
"""Of several figures far outside the first of these is told: they have one cause, and the table has all."""


class Residual(msgspec.Struct, frozen=True, kw_only=True):
    """A predicted figure and its range, the measured one, and how they differ.

    `residual` is measured / predicted - 1. `inside` says whether the measured value lies in the predicted range,
    `overlaps` whether its own interval reaches into it. What either side lacks is None.
    """

    unit: str
    predicted: float
    low: float | None
    high: float | None
    level: float | None
    measured: float | None
    residual: float | None
    inside: bool | None
    overlaps: bool | None


class RowPrediction(msgspec.Struct, frozen=True, kw_only=True):
    """What was predicted of a row, by which source; `residuals` by metric, and `reason` why some or all are missing.

    `share_of_limit` is the measured speed over `limit_tps`, at which reading weights and KV cache alone would take the
    whole measured bandwidth. `limited_by` is what the prediction takes for the limit.
    """

    source: str
    residuals: dict[str, Residual]
    limited_by: str | None
    limit_tps: float | None
    share_of_limit: float | None
    reason: str | None


def of_row(
    predictions: Sequence[Predicted], case: Case, measured: Mapping[str, Estimate]
) -> RowPrediction | None:
    """The prediction of this case beside its figures, which may be none yet; None where nothing was predicted."""
    told = next((one for one in predictions if one.case == case.id), None)
    if told is None:
        return None
    return RowPrediction(
        source=told.source,
        residuals={
            name: _residual(METRICS[name].unit, figure, measured.get(name))
            for name, figure in told.figures.items()
            if case.workload.method in METRICS[name].methods
        },
        limited_by=told.limited_by,
        limit_tps=told.limit_tps,
        share_of_limit=_share(speed(measured), told.limit_tps),
        reason=told.reason,
    )


def _share(measured: Estimate | None, limit: float | None) -> float | None:
    return None if measured is None or measured.value is None or limit is None else measured.value / limit


def _residual(unit: str, told: PredictedFigure, measured: Estimate | None) -> Residual:
    value = measured.value if measured else None
    return Residual(
        unit=unit,
        predicted=told.value,
        low=told.low,
        high=told.high,
        level=told.level,
        measured=value,
        residual=None if value is None else value / told.value - 1,
        inside=_meets(told, value, value),
        overlaps=_meets(told, measured.low or value, measured.high or value) if measured else None,
    )


def _meets(told: PredictedFigure, low: float | None, high: float | None) -> bool | None:
    """Whether low to high and the predicted range have something in common."""
    if told.low is None or told.high is None or low is None or high is None:
        return None
    return low <= told.high and told.low <= high


def told_range(one: Residual) -> str:
    """8.50 to 11.5; nothing without a range."""
    return "" if one.low is None or one.high is None else f"{number(one.low)} to {number(one.high)}"


def far_outside(found: RowPrediction) -> tuple[str, Residual] | None:
    """Metric and residual of a figure far outside of what was predicted; None where all are near."""
    named = [(name, found.residuals[name]) for name in TOLD_FIRST if name in found.residuals]
    return next(((name, one) for name, one in named if _is_far(one)), None)


def _is_far(one: Residual) -> bool:
    """Beyond the range even by the near end of the measured interval, and by its value far beyond."""
    if one.overlaps is not False or one.residual is None or one.low is None or one.high is None:
        return False
    ratio, low, high = 1 + one.residual, one.low / one.predicted, one.high / one.predicted
    return ratio < min(low**TIMES_RANGE, 1 - LEAST_FAR) or ratio > max(high**TIMES_RANGE, 1 + LEAST_FAR)
