"""From terms to seconds: costs add up, other threads in proportion, and what was not timed has a reason."""

from __future__ import annotations

import math

import pytest

from profiler.predicting.cost_model import DECODE_ERROR, PROMPT_ERROR, errors, seconds_by_term, spread
from profiler.predicting.limiting import limit_of
from tests.calibrations import COSTS, calibration, sample


def test_each_term_costs_its_amount() -> None:
    assert seconds_by_term(calibration(), 4, {"read:Q8_0": 3e9, "call": 1}) == {
        "read:Q8_0": 0.3,
        "call": 1e-5,
    }


@pytest.mark.parametrize(
    ("term", "factor"),
    [("read:Q4_K", 2), ("read:Q8_0", 2), ("route:Q4_K", 2), ("attend_prompt:f16:auto", 2), ("rows", 1)],
)
def test_other_threads_are_as_much_slower_as_their_like(term: str, factor: float) -> None:
    found = seconds_by_term(calibration(), 1, {term: 1e6})
    assert isinstance(found, dict)
    assert found[term] == pytest.approx(factor * COSTS[term] * 1e6)


def test_threads_that_were_not_timed_are_refused() -> None:
    assert seconds_by_term(calibration(), 3, {"call": 1}) == "3 threads were not calibrated; calibrated: 1, 4"


@pytest.mark.parametrize(
    ("term", "reason"),
    [
        ("read:IQ2_XXS", "weights in IQ2_XXS were not calibrated"),
        ("route:IQ2_XXS", "weights in IQ2_XXS were not calibrated"),
        ("attend:f16:auto:576", "attention over keys of 576 elements, more than 256, was not calibrated"),
        (
            "attend_prompt:f16:auto:576",
            "attention over keys of 576 elements, more than 256, was not calibrated",
        ),
        ("novel", "novel was not calibrated"),
        ("attend:q4_0:auto", "a KV cache of q4_0 with flash attention auto was not calibrated"),
    ],
)
def test_what_was_not_timed_is_not_told(term: str, reason: str) -> None:
    assert seconds_by_term(calibration(), 4, {term: 1.0}) == reason
    assert seconds_by_term(calibration(), 4, {term: 0.0}) == {term: 0}


def test_experts_of_a_type_timed_in_plain_matrices_go_in_proportion() -> None:
    found = seconds_by_term(calibration(), 4, {"route:Q8_0": 1e9, "read:F32": 1e9})
    assert found == pytest.approx({"route:Q8_0": 0.2, "read:F32": 0.1})


def test_the_interval_is_as_wide_as_the_check_and_the_drift_say() -> None:
    terms = {"read:Q8_0": 1e9}
    held_out = sample(terms, 0.08, fitted=False)
    assert errors(calibration(samples=[held_out]), prompt=False) == pytest.approx([0.25])
    assert spread(calibration(), prompt=False) == pytest.approx(DECODE_ERROR)
    assert spread(calibration(samples=[held_out]), prompt=True) == pytest.approx(PROMPT_ERROR)
    checked = spread(calibration(samples=[held_out, sample(terms, 1.0)], drift=1.1), prompt=False)
    assert checked == pytest.approx(math.sqrt(DECODE_ERROR**2 + 0.25**2 + math.log(1.1) ** 2))


@pytest.mark.parametrize(
    ("told", "read", "words"),
    [
        (
            {"read:Q8_0": 0.09, "call": 0.01},
            0.85e9,
            "memory bandwidth, 90%",
        ),
        (
            {"read:Q8_0": 0.09, "call": 0.01},
            0.45e9,
            "unpacking weights, 90%",
        ),
        ({"read:Q8_0": 0.02, "attend:f16:auto:128": 0.08}, 1e8, "attention, 80%"),
        ({"read:Q8_0": 0.02, "call": 0.03, "layer": 0.05}, 1e8, "starting operations, 80%"),
    ],
)
def test_what_limits(told: dict[str, float], read: float, words: str) -> None:
    assert limit_of(told, read, 1e10) == words
