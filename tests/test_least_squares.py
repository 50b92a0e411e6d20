"""Costs that are never negative: the same as SciPy's, exact where they can be, zero for what is not there."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import nnls

from profiler.predicting.least_squares import costs, non_negative


@pytest.mark.parametrize("seed", range(40))
def test_as_scipy(seed: int) -> None:
    draw = np.random.default_rng(seed)
    matrix, wanted = draw.normal(size=(12, 1 + seed % 9)), draw.normal(size=12)
    assert non_negative(matrix, wanted) == pytest.approx(nnls(matrix, wanted)[0], abs=1e-12)


def test_costs_are_found_again() -> None:
    rows = [
        {"read": 1e8, "call": 1.0},
        {"read": 3e8, "call": 1.0, "layer": 20.0},
        {"read": 5e8, "layer": 9.0},
    ]
    true = {"read": 1e-10, "call": 1e-4, "layer": 2e-6}
    seconds = [sum(amount * true[name] for name, amount in row.items()) for row in rows]
    assert costs(rows, seconds) == pytest.approx(true, rel=1e-9)


def test_what_would_be_negative_is_nothing() -> None:
    assert costs([{"a": 1.0, "b": 1.0}, {"a": 2.0, "b": 1.0}], [2.0, 5.0])["b"] == 0


def test_a_term_that_no_call_has_costs_nothing() -> None:
    assert costs([{"a": 1.0, "b": 0.0}], [2.0]) == pytest.approx({"a": 2.0, "b": 0.0})
