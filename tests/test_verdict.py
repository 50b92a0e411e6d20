"""The word said about an interval of log(candidate / base)."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.analyse.statistics import Interval
from profiler.analyse.verdict import Verdict, judge

EDGES = st.floats(-2, 2)


def between(low: float, high: float, *, provisional: bool = False) -> Interval:
    return Interval(
        centre=(low + high) / 2,
        low=low,
        high=high,
        level=0.982,
        method="paired-t" if provisional else "signed-rank",
        provisional=provisional,
    )


def final(low: float, high: float, *, higher_is_better: bool = True, same_zone: float = 0.03) -> Verdict:
    return judge(
        between(low, high), at_planned_stop=True, higher_is_better=higher_is_better, same_zone=same_zone
    )


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.05, 0.09, Verdict.BETTER),
        (-0.09, -0.05, Verdict.WORSE),
        (-0.02, 0.02, Verdict.SAME),
        (0.0, 0.0, Verdict.SAME),
        (-0.02, 0.04, Verdict.UNDECIDED),
        (-0.04, 0.02, Verdict.UNDECIDED),
        (-0.5, 0.5, Verdict.UNDECIDED),
    ],
)
def test_where_more_is_better(low: float, high: float, verdict: Verdict) -> None:
    assert final(low, high) is verdict


def test_where_less_is_better_the_words_swap() -> None:
    assert final(0.05, 0.09, higher_is_better=False) is Verdict.WORSE
    assert final(-0.09, -0.05, higher_is_better=False) is Verdict.BETTER


def test_a_small_difference_that_was_shown_is_told_before_sameness() -> None:
    assert final(0.001, 0.01) is Verdict.BETTER
    assert final(-0.01, -0.001) is Verdict.WORSE


def test_touching_zero_excludes_nothing() -> None:
    assert final(0.0, 0.02) is Verdict.SAME
    assert final(0.0, 0.2) is Verdict.UNDECIDED
    assert final(-0.2, 0.0) is Verdict.UNDECIDED


def test_the_zone_is_a_ratio_either_way() -> None:
    edge = math.log1p(0.03)
    assert final(-edge, edge) is Verdict.SAME
    assert final(-edge, math.nextafter(edge, 1)) is Verdict.UNDECIDED
    assert final(math.nextafter(-edge, -1), edge) is Verdict.UNDECIDED


def test_the_zone_can_be_set() -> None:
    assert final(-0.02, 0.02, same_zone=0.01) is Verdict.UNDECIDED
    assert final(-0.09, 0.09, same_zone=0.1) is Verdict.SAME
    assert final(-0.001, 0.001, same_zone=0.0) is Verdict.UNDECIDED


def test_no_interval_is_undecided() -> None:
    assert judge(None, at_planned_stop=True, higher_is_better=True) is Verdict.UNDECIDED


@given(EDGES, EDGES)
def test_too_few_rounds_or_too_early_is_undecided(one: float, other: float) -> None:
    low, high = sorted((one, other))
    few = between(low, high, provisional=True)
    assert judge(few, at_planned_stop=True, higher_is_better=True) is Verdict.UNDECIDED
    early = between(low, high)
    assert judge(early, at_planned_stop=False, higher_is_better=True) is Verdict.UNDECIDED


@given(EDGES, EDGES, st.booleans())
def test_swapping_base_and_candidate_swaps_better_and_worse(one: float, other: float, higher: bool) -> None:
    low, high = sorted((one, other))
    swapped = {Verdict.BETTER: Verdict.WORSE, Verdict.WORSE: Verdict.BETTER}
    verdict = final(low, high, higher_is_better=higher)
    assert final(-high, -low, higher_is_better=higher) is swapped.get(verdict, verdict)


def test_words_are_those_of_the_report() -> None:
    assert [str(v) for v in Verdict] == ["better", "worse", "same", "undecided", "not_comparable"]
