"""Where the spread is: passes of one process, or processes."""

from __future__ import annotations

import math
import random

import pytest

from profiler.analyse.report import report
from profiler.analyse.variance import Spread, spread, start_cost
from tests.run_builder import case, counters, rounds, run, text_pass, worker


def known(found: Spread | None) -> Spread:
    assert found is not None
    return found


def test_passes_that_agree_and_processes_that_do_not() -> None:
    found = known(spread([[0.0, 0.0, 0.0], [0.1, 0.1, 0.1]], start_cost=1.0))
    assert found.within == 0
    assert found.between == pytest.approx(math.sqrt(0.005))
    assert found.passes == 1


def test_processes_that_agree_and_passes_that_do_not() -> None:
    """Deviations of -0.1, 0, 0.1 in each: the variance of passes is 0.01, and nothing is left for processes."""
    found = known(spread([[-0.1, 0.0, 0.1], [-0.1, 0.0, 0.1]], start_cost=1.0))
    assert found.within == pytest.approx(0.1)
    assert (found.between, found.passes) == (0.0, 8)


def test_what_passes_explain_is_taken_off_the_processes() -> None:
    """Means 0 and 0.2 have variance 0.02, of which two passes of variance 0.02 explain half."""
    found = known(spread([[-0.1, 0.1], [0.1, 0.3]], start_cost=0.0))
    assert found.within == pytest.approx(math.sqrt(0.02))
    assert found.between == pytest.approx(0.1)


@pytest.mark.parametrize(("start_cost", "passes"), [(0.5, 1), (4.5, 3), (12.5, 5), (1000.0, 8)])
def test_a_dear_start_asks_for_more_passes(start_cost: float, passes: int) -> None:
    """Kalibera and Jones: sqrt(cost x 0.02 / 0.01)."""
    assert known(spread([[-0.1, 0.1], [0.1, 0.3]], start_cost)).passes == passes


@pytest.mark.parametrize("values", [[], [[1.0, 2.0]], [[1.0], [2.0], [3.0]]])
def test_too_little_to_tell(values: list[list[float]]) -> None:
    assert spread(values, 1.0) is None


def test_it_finds_the_sizes_it_was_made_with() -> None:
    draw = random.Random(1)
    processes = []
    for _ in range(4000):
        centre = draw.gauss(0, 0.05)
        processes.append([centre + draw.gauss(0, 0.03) for _ in range(3)])
    found = known(spread(processes, 1.0))
    assert found.within == pytest.approx(0.03, rel=0.05)
    assert found.between == pytest.approx(0.05, rel=0.05)


def test_the_cost_of_a_start_in_passes() -> None:
    """A worker of 1,000 ms with three passes of 200 ms spends 400 ms beside them."""
    passes = [text_pass(n, counters=counters(wall_ms=200)) for n in (1, 2, 3)]
    assert start_cost([worker("r1", 0, *passes)]) == pytest.approx(2.0)
    assert start_cost([worker("r1", 0)]) == 0


def test_a_row_tells_it_for_each_judged_metric() -> None:
    [row] = report(run([case("r1")], rounds("r1", [10.0, 11.0, 12.0]))).rows
    assert row.spread.keys() == {"ttft_ms", "decode_tps"}
    assert row.spread["ttft_ms"] == Spread(within=0.0, between=0.0, passes=1)
    assert row.spread["decode_tps"].within == 0
