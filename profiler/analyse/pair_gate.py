"""Conditions of a gate on pairs of rows: on their comparison, or on the failure that stands in its place."""

from __future__ import annotations

from collections.abc import Sequence

from profiler.analyse.compared import Pair
from profiler.analyse.comparison import Terms
from profiler.analyse.gate import Condition, Outcome, Result, metric_of, outcome
from profiler.analyse.metrics import ENERGY_METRICS
from profiler.analyse.verdict import Verdict
from profiler.runfile import Case, Failure


def outcomes(conditions: Sequence[Condition], pairs: Sequence[Pair], agreed: Terms) -> list[Outcome]:
    """Every condition on every pair that it is about; one that is about none is not passed."""
    found = [told for pair in pairs for asked in conditions for told in _outcomes(asked, pair, agreed)]
    return found + _missing(conditions, found)


def without_partner(conditions: Sequence[Condition], left: Sequence[Case]) -> list[Outcome]:
    """Rows of the base that are gone from the candidate do not pass unseen."""
    return [
        Outcome(
            condition=asked.text,
            base=case.id,
            candidate="",
            result=Result.UNDECIDED,
            seen=f"{case.id} of the base has no partner in the candidate's run",
        )
        for case in left
        for asked in conditions
        if case.workload.method in metric_of(asked).methods
    ]


def _outcomes(asked: Condition, pair: Pair, agreed: Terms) -> list[Outcome]:
    """A condition on a pair: on its comparison, or on the failure that stands in its place.

    A candidate that its run gave up does not pass by what it measured before.
    """
    found = next((c for c in pair.comparisons if c.metric == asked.metric), None)
    if found is not None and (pair.candidate_failure is None or pair.base_failure is not None):
        return [outcome(asked, found, agreed)]
    if pair.comparisons and pair.comparisons[0].verdict is Verdict.NOT_COMPARABLE:
        return [_bare(asked, pair, Result.UNDECIDED, "the rows were asked different things")]
    if pair.comparisons and pair.method not in metric_of(asked).methods:
        return []
    return [_bare(asked, pair, *_without(asked, pair, agreed))]


def _without(asked: Condition, pair: Pair, agreed: Terms) -> tuple[Result, str]:
    """What a pair without the comparison comes to: the candidate failed alone, or there is nothing to judge."""
    if pair.base_failure is None and pair.candidate_failure is not None:
        result = Result.FAILED if agreed.at_planned_stop else Result.UNDECIDED
        return result, f"{pair.candidate} failed to measure: {_words(pair.candidate_failure)}"
    if pair.base_failure is not None:
        return Result.UNDECIDED, f"{pair.base}, the base, failed to measure: {_words(pair.base_failure)}"
    by_whom = " by the same sensor" if metric_of(asked) in ENERGY_METRICS else ""
    return Result.UNDECIDED, f"this metric was not measured in both rows{by_whom}"


def _words(failure: Failure) -> str:
    return f"{failure.kind.replace('_', ' ')}: {failure.message}"


def _bare(asked: Condition, pair: Pair, result: Result, seen: str) -> Outcome:
    return Outcome(condition=asked.text, base=pair.base, candidate=pair.candidate, result=result, seen=seen)


def _missing(conditions: Sequence[Condition], found: Sequence[Outcome]) -> list[Outcome]:
    """A condition that no pair was judged by."""
    judged = {told.condition for told in found}
    return [
        Outcome(
            condition=asked.text,
            base="",
            candidate="",
            result=Result.UNDECIDED,
            seen="no two rows have this metric",
        )
        for asked in conditions
        if asked.text not in judged
    ]
