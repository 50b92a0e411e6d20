"""Student's t and the binomial distribution agree with SciPy."""

from __future__ import annotations

import math

import pytest
from scipy.special import bdtr, betainc, stdtrit

from profiler.analyse.distributions import binomial_at_most, incomplete_beta, t_quantile


class TestStudent:
    @pytest.mark.parametrize("degrees", [1, 1.3, 2, 2.7, 5, 7.2, 29, 199, 1e3])
    @pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.982, 0.9999, 1 - 1e-6])
    def test_the_quantile(self, degrees: float, level: float) -> None:
        assert t_quantile(degrees, level) == pytest.approx(-stdtrit(degrees, (1 - level) / 2), rel=1e-9)

    def test_one_degree_is_the_cauchy_distribution(self) -> None:
        assert t_quantile(1, 0.95) == pytest.approx(math.tan(math.pi * 0.475), rel=1e-12)


class TestBinomial:
    @pytest.mark.parametrize("n", [1, 2, 36, 200, 1000])
    @pytest.mark.parametrize("p", [0.5, 0.9, 0.95, 0.99])
    def test_every_number_of_successes(self, n: int, p: float) -> None:
        ours = [binomial_at_most(k, n, p) for k in range(n + 1)]
        assert ours == pytest.approx([bdtr(k, n, p) for k in range(n + 1)], abs=1e-11)


class TestIncompleteBeta:
    @pytest.mark.parametrize("x", [0.0, 1e-12, 0.3, 0.5, 0.999, 1.0])
    @pytest.mark.parametrize(("a", "b"), [(0.5, 0.5), (3, 0.5), (100, 7), (1000, 1000)])
    def test_agrees_with_scipy(self, a: float, b: float, x: float) -> None:
        assert incomplete_beta(a, b, x) == pytest.approx(betainc(a, b, x), rel=1e-9, abs=1e-12)
