"""Sums and products of figures that have intervals."""

from __future__ import annotations

import msgspec

from profiler.analyse.estimate import PROMISED_LEVEL, Estimate


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """A value and its bounds; a bound that is None is not known. `intervals` counts the measured intervals in it."""

    value: float
    low: float | None
    high: float | None
    intervals: int = 0
    provisional: bool = False


def exact(value: float) -> Span:
    """A value that is taken as given, such as a price."""
    return Span(value=value, low=value, high=value)


def measured(figure: Estimate | None) -> Span | None:
    """A figure of a report; None where it has no value."""
    if figure is None or figure.value is None:
        return None
    return Span(
        value=figure.value,
        low=figure.low,
        high=figure.high,
        intervals=1,
        provisional=figure.provisional,
    )


def scaled(span: Span, factor: float) -> Span:
    """The span times a factor that is not negative; nothing of it is left by 0."""
    if factor == 0:
        return exact(0.0)
    bounds = [None if bound is None else bound * factor for bound in (span.low, span.high)]
    return msgspec.structs.replace(span, value=span.value * factor, low=bounds[0], high=bounds[1])


def over(factor: float, span: Span) -> Span | None:
    """A factor, not negative, divided by the span; None where the value is not above 0.

    A lower bound of 0 leaves the upper one open.
    """
    if span.value <= 0:
        return None
    low = None if span.high is None else factor / span.high
    high = factor / span.low if span.low is not None and span.low > 0 else None
    return msgspec.structs.replace(span, value=factor / span.value, low=low, high=high)


def plus(one: Span, other: Span) -> Span:
    """The sum; bounds are added, as if both were at their worst at once."""
    lows, highs = (one.low, other.low), (one.high, other.high)
    return Span(
        value=one.value + other.value,
        low=None if None in lows else sum(bound for bound in lows if bound is not None),
        high=None if None in highs else sum(bound for bound in highs if bound is not None),
        intervals=one.intervals + other.intervals,
        provisional=one.provisional or other.provisional,
    )


def less(whole: float, span: Span) -> Span:
    """A given whole without the span."""
    low = None if span.high is None else whole - span.high
    high = None if span.low is None else whole - span.low
    return msgspec.structs.replace(span, value=whole - span.value, low=low, high=high)


def estimate(span: Span, unit: str) -> Estimate:
    """The span as a figure. Its level is what is left where every interval in it may fail by itself (Bonferroni)."""
    known = span.low is not None and span.high is not None
    level = 1 - span.intervals * (1 - PROMISED_LEVEL)
    return Estimate(
        value=span.value,
        low=span.low,
        high=span.high,
        level=round(level, 2) if known and span.intervals else None,
        unit=unit,
        provisional=span.provisional,
    )
