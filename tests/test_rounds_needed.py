"""How many rounds a fresh run would need, and whether so many rounds do decide."""

from __future__ import annotations

import math
import random
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.analyse.comparison import Comparison
from profiler.analyse.report import report
from profiler.analyse.rounds_needed import Need, rounds_needed, spread
from profiler.analyse.statistics import Interval, fewest_for_verdict, interval, look_level
from profiler.analyse.verdict import Verdict, judge
from profiler.render import formats
from profiler.runfile import MOST_ROUNDS
from tests.run_builder import case, rounds, run

LEVEL = look_level(1)
NOISE = [0.00, 0.01, -0.02, 0.03, -0.01, 0.02, -0.03, 0.00]


def normal(count: int, sd: float) -> list[float]:
    """As evenly as so many normal values can lie."""
    return [NormalDist(0, sd).inv_cdf((n + 0.5) / count) for n in range(count)]


class TestSpread:
    @pytest.mark.parametrize("count", [8, 12, 20, 30, 100])
    def test_it_is_read_back_from_a_signed_rank_interval(self, count: int) -> None:
        bounds = interval(normal(count, 0.05), look_level(4))
        assert bounds is not None
        assert bounds.method == "signed-rank"
        assert spread(bounds, count) == pytest.approx(0.05, rel=0.1)

    @pytest.mark.parametrize("count", [2, 5])
    def test_and_from_a_provisional_one(self, count: int) -> None:
        values = [0.05 * (-1) ** n for n in range(count)]
        bounds = interval(values, LEVEL)
        assert bounds is not None
        assert bounds.method == "paired-t"
        mean = sum(values) / count
        sd = math.sqrt(sum((v - mean) ** 2 for v in values) / (count - 1))
        assert spread(bounds, count) == pytest.approx(sd)


class TestRounds:
    def test_four_times_the_rounds_for_half_the_difference(self) -> None:
        found = [rounds_needed(difference, 0.1, LEVEL).rounds for difference in (0.10, 0.05)]
        assert found == [10, 35]

    def test_a_difference_of_nothing_is_decided_by_being_the_same(self) -> None:
        """The interval fits into 3% either way with 80% chance as soon as it is half as wide, and a little before."""
        found = rounds_needed(0.0, 0.03, LEVEL)
        assert found.rounds is not None
        assert 8 <= found.rounds <= 14

    def test_no_noise_needs_as_many_rounds_as_the_level(self) -> None:
        assert rounds_needed(0.01, 0.0, LEVEL) == Need(rounds=fewest_for_verdict(LEVEL))

    def test_more_comparisons_need_more_rounds(self) -> None:
        one, many = rounds_needed(0.05, 0.1, 0.95).rounds, rounds_needed(0.05, 0.1, 0.995).rounds
        assert one is not None
        assert many is not None
        assert many > 1.3 * one

    def test_out_of_reach_it_says_what_the_longest_run_could_show(self) -> None:
        """(1.96 + 0.84) x 1.02 x 0.5 / sqrt(200) is 10.2%, as a ratio 11%."""
        assert rounds_needed(0.02, 0.5, LEVEL) == Need(
            reason="no run of up to 200 rounds would decide it; 200 rounds could show 11%"
        )
        assert rounds_needed(0.02, 50.0, LEVEL).reason == (
            "no run of up to 200 rounds would decide it; 200 rounds could show a factor of ten"
        )

    @given(st.floats(-700, 700), st.floats(0, 700), st.integers(1, 2000))
    def test_there_is_always_either_a_number_or_a_reason(
        self, difference: float, sd: float, count: int
    ) -> None:
        found = rounds_needed(difference, sd, 1 - 0.05 / count)
        assert (found.rounds is None) != (found.reason is None)
        assert found.rounds is None or fewest_for_verdict(1 - 0.05 / count) <= found.rounds <= MOST_ROUNDS

    @given(st.floats(-1, 1), st.floats(0, 1))
    def test_the_sign_of_the_difference_does_not_matter(self, difference: float, sd: float) -> None:
        assert rounds_needed(difference, sd, LEVEL) == rounds_needed(-difference, sd, LEVEL)


@pytest.mark.parametrize(
    ("difference", "sd"), [(0.05, 0.05), (0.05, 0.1), (0.03, 0.04), (0.0, 0.03), (0.01, 0.03)]
)
def test_runs_of_the_advised_rounds_decide_in_about_80_of_100(difference: float, sd: float) -> None:
    """Normal noise, one look at 95%, the verdict as a report gives it."""
    needed = rounds_needed(difference, sd, LEVEL).rounds
    assert needed is not None
    draw = random.Random(f"{difference}/{sd}")
    sessions = 300
    decided = sum(
        _verdict([draw.gauss(difference, sd) for _ in range(needed)]) is not Verdict.UNDECIDED
        for _ in range(sessions)
    )
    assert 0.70 <= decided / sessions <= 0.95


def _verdict(ratios: list[float]) -> Verdict:
    bounds: Interval | None = interval(ratios, LEVEL)
    return judge(bounds, at_planned_stop=True, higher_is_better=True)


class TestReport:
    def decode(self, *gaps: list[float], ended: str | None = "rounds") -> Comparison:
        cases = [case("r1", threads=1), case("r2", threads=2)]
        workers = [rounds(c.id, g) for c, g in zip(cases, gaps, strict=True)]
        found = report(run(cases, *workers, planned=len(gaps[0]), ended=ended))
        return next(item for item in found.comparisons if item.metric == "decode_tps")

    def test_an_undecided_comparison_has_a_number(self) -> None:
        """Two comparisons in the run, so the fresh run is judged at 97.5%."""
        ratios = [noise + 0.01 for noise in NOISE]
        found = self.decode([10 * math.exp(ratio) for ratio in ratios], [10] * 8)
        bounds = interval(ratios, 0.975)
        assert bounds is not None
        assert found.verdict is Verdict.UNDECIDED
        assert found.rounds_needed == rounds_needed(bounds.centre, spread(bounds, 8), 0.975).rounds
        assert found.rounds_reason is None

    def test_a_decided_one_has_neither(self) -> None:
        found = self.decode([10] * 8, [8] * 8)
        assert (found.verdict, found.rounds_needed, found.rounds_reason) == (Verdict.BETTER, None, None)

    def test_one_round_has_no_spread(self) -> None:
        found = self.decode([10], [11])
        assert found.rounds_needed is None
        assert found.rounds_reason == "fewer than two rounds have both, so their spread is not known"

    def test_a_run_cut_short_is_to_go_on(self) -> None:
        found = self.decode([10] * 8, [8] * 8, ended=None)
        assert found.rounds_needed is None
        assert found.rounds_reason == "the run did not reach its planned stop"

    @pytest.mark.parametrize("name", ["terminal", "markdown"])
    def test_it_is_shown(self, name: str) -> None:
        cases = [case("r1", threads=1), case("r2", threads=2)]
        noisy = [10 * math.exp(noise + 0.01) for noise in NOISE]
        found = report(run(cases, rounds("r1", noisy), rounds("r2", [10] * 8)))
        (decode,) = [item for item in found.comparisons if item.metric == "decode_tps"]
        shown = " ".join(formats.render(found, name).split())
        assert (
            f"r2 decode: a fresh run with --processes {decode.rounds_needed} would decide it with 80%"
            in shown
        )
