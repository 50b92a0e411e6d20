"""Conditions on a change, judged on its interval: shown, excluded, or undecided."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable
from enum import StrEnum

import msgspec

from profiler.analyse.comparison import NO_ROUNDS_HELP, UNFINISHED, Comparison, Terms
from profiler.analyse.metrics import METRICS, Metric
from profiler.analyse.rounds_needed import Need, rounds_needed
from profiler.errors import ExitCode, UserError, nearest

DIGITS = 12
"""A change of exactly the limit is compared as such, whatever the last digits of its logarithm are."""


class Relation(StrEnum):
    """How a change stands to a limit."""

    BELOW = "<"
    AT_MOST = "<="
    ABOVE = ">"
    AT_LEAST = ">="


_HOLDS = {
    Relation.BELOW: operator.lt,
    Relation.AT_MOST: operator.le,
    Relation.ABOVE: operator.gt,
    Relation.AT_LEAST: operator.ge,
}


class Result(StrEnum):
    """What a gate came to. FAILED: the condition is shown; PASSED: it is excluded."""

    FAILED = "failed"
    PASSED = "passed"
    UNDECIDED = "undecided"


EXIT_CODES = {
    Result.FAILED: ExitCode.GATE_FAILED,
    Result.PASSED: ExitCode.DONE,
    Result.UNDECIDED: ExitCode.UNDECIDED,
}


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """What must not be: a change (candidate / base - 1) of this metric beyond a limit. `text` is as typed."""

    metric: str
    relation: Relation
    limit: float
    text: str


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One condition on one pair of rows. `seen` is what it was judged on, or why it could not be.

    Of an undecided one `rounds_needed` are the rounds at which a fresh run would probably decide it, or
    `rounds_reason` says why none are advised.
    """

    condition: str
    base: str
    candidate: str
    result: Result
    seen: str
    rounds_needed: int | None = None
    rounds_reason: str | None = None


def condition(metric: str, relation: Relation, limit: float, text: str) -> Condition:
    """A checked condition. Raises `UserError` for a metric that there is not, or a limit that nothing can reach."""
    if metric not in METRICS:
        raise UserError(f"--fail-if {text!r}: there is no metric {metric!r}: {nearest(metric, METRICS)}")
    if limit <= -1:
        raise UserError(f"--fail-if {text!r}: a change is above -100%, such as -3%")
    return Condition(metric=metric, relation=relation, limit=limit, text=text)


def metric_of(asked: Condition) -> Metric:
    """The metric that a condition is about."""
    return METRICS[asked.metric]


def outcome(asked: Condition, found: Comparison, terms: Terms) -> Outcome:
    """A condition judged on the whole interval of the change, at the planned stop only."""
    result = _result(asked, found) if terms.at_planned_stop else Result.UNDECIDED
    need = _need(asked, found, terms) if result is Result.UNDECIDED else Need()
    return Outcome(
        condition=asked.text,
        base=found.base,
        candidate=found.candidate,
        result=result,
        seen=_seen(found) if terms.at_planned_stop else f"{_seen(found)}; {UNFINISHED}",
        rounds_needed=need.rounds,
        rounds_reason=need.reason,
    )


def _need(asked: Condition, found: Comparison, terms: Terms) -> Need:
    """The rounds at which the limit would lie outside the interval, if the change is what it now seems."""
    if found.spread is None and terms.at_planned_stop:
        return Need(reason=found.rounds_reason or NO_ROUNDS_HELP)
    if found.spread is None or not found.ratio or not terms.at_planned_stop:
        return Need(reason=found.rounds_reason)
    away = math.log(found.ratio) - math.log1p(asked.limit)
    return rounds_needed(away, found.spread, terms.fresh_level, same_zone=0.0)


def overall(outcomes: Iterable[Outcome]) -> Result:
    """Failed if any condition is; passed only if all are, and there is one."""
    results = {found.result for found in outcomes}
    if Result.FAILED in results:
        return Result.FAILED
    return Result.PASSED if results == {Result.PASSED} else Result.UNDECIDED


def _result(asked: Condition, found: Comparison) -> Result:
    if found.provisional or found.low is None or found.high is None:
        return Result.UNDECIDED
    bounds = [round(bound - 1, DIGITS) for bound in (found.low, found.high)]
    inside = [_HOLDS[asked.relation](bound, round(asked.limit, DIGITS)) for bound in bounds]
    if all(inside):
        return Result.FAILED
    return Result.UNDECIDED if any(inside) else Result.PASSED


def _seen(found: Comparison) -> str:
    if found.ratio is None:
        return "no change could be computed"
    change = f"change {_signed(found.ratio)}"
    if found.low is None or found.high is None:
        return f"{change}, too few rounds for an interval"
    few = ", too few rounds for a verdict" if found.provisional else ""
    return f"{change}, interval {_signed(found.low)} to {_signed(found.high)}{few}"


def _signed(ratio: float) -> str:
    """A ratio as a change in per cent."""
    return f"{100 * (ratio - 1):+.3g}%"
