"""How near logits are, in figures that can be checked by hand, and the rule for "no worse than the noise"."""

from __future__ import annotations

import math

import numpy as np
import pytest

from profiler.agreement.closeness import BLOCK, Compared, compare, excess, worse_than_noise

EVEN = np.zeros((3, 2), np.float32)


def compared(*, same: float = 1, divergence: float = 0, surprise: float = 2, seed: int = 1) -> Compared:
    """Positions whose figures scatter a little around these."""
    draw, count = np.random.default_rng(seed), BLOCK * 16
    noise = 0.01 * draw.standard_normal((2, count))
    return Compared(
        (draw.random(count) < same).astype(float), np.abs(divergence + noise[0]), surprise + noise[1], 1.0
    )


def test_equal_logits_are_equal() -> None:
    found = compare(EVEN, EVEN, [0, 1, 0]).summary()
    assert (found.top1, found.largest, found.kl) == (1, 0, 0)
    assert found.perplexity == pytest.approx(2)


def test_figures_are_those_of_the_formulas() -> None:
    """The candidate gives the first token 3/4 at one of three positions, the reference always 1/2."""
    candidate = EVEN.copy()
    candidate[0, 0] = math.log(3)
    reference = EVEN.copy()
    reference[0, 1] = 1e-6
    found = compare(candidate, reference, [0, 0, 1]).summary()
    assert found.top1 == pytest.approx(2 / 3)
    assert found.largest == pytest.approx(math.log(3))
    assert found.kl == pytest.approx((0.5 * math.log(0.5 / 0.75) + 0.5 * math.log(0.5 / 0.25)) / 3, rel=1e-4)
    assert found.perplexity == pytest.approx(math.exp((-math.log(0.75) - math.log(0.5)) / 2))


def test_rows_are_taken_in_parts_without_a_seam() -> None:
    draw = np.random.default_rng(1)
    mine, theirs = (draw.standard_normal((150, 7)).astype(np.float32) for _ in range(2))
    ids = [int(n) for n in draw.integers(0, 7, 150)]
    found = compare(mine, theirs, ids)
    assert [item.size for item in (found.same, found.divergence, found.surprise)] == [150, 150, 149]
    shares = np.exp(mine.astype(float)) / np.exp(mine.astype(float)).sum(1, keepdims=True)
    assert found.surprise == pytest.approx(-np.log(shares[np.arange(149), ids[1:]]))


def test_excess_is_only_what_is_beyond_doubt() -> None:
    draw = np.random.default_rng(1)
    noise = draw.standard_normal((2, 512))
    assert excess(noise[0], noise[1]) is None
    assert excess(noise[0] + 1, noise[1]) == pytest.approx(1, abs=0.3)
    assert excess(noise[0] - 1, noise[1]) is None
    assert excess(noise[0][:64] + 1, noise[1][:64]) is None


def test_what_is_as_good_as_the_noise_passes() -> None:
    floor = compared(same=0.95, divergence=0.05)
    fast = compared(same=0.95, divergence=0.05, seed=2)
    assert worse_than_noise(fast, floor, compared(seed=3).surprise) == []


@pytest.mark.parametrize(
    ("fast", "sentence"),
    [
        (compared(same=0.6, divergence=0.05), "its top token differs at"),
        (compared(same=0.95, divergence=0.1), "its divergence is"),
        (compared(same=0.95, divergence=0.05, surprise=2.5), "its surprise at the text is"),
    ],
)
def test_what_is_worse_is_named(fast: Compared, sentence: str) -> None:
    floor = compared(same=0.95, divergence=0.05, seed=2)
    (found,) = worse_than_noise(fast, floor, compared(seed=3).surprise)
    assert found.startswith(sentence)
