"""Estimates and intervals: exact numbers, invariances, and the coverage they promise."""

from __future__ import annotations

import math
import random
from itertools import product

import pytest
import scipy.stats
from hypothesis import assume, given
from hypothesis import strategies as st

from profiler.analyse import statistics
from profiler.analyse.statistics import (
    CHECKPOINTS,
    Interval,
    corrected_level,
    hodges_lehmann,
    interval,
    look_level,
    order_statistic_bound,
    percentile_allowed,
    resolution,
    signed_rank_interval,
    signed_rank_k,
    t_interval,
)

K_95 = [1, 3, 4, 6, 9, 11, 14, 18, 22, 26, 30, 35, 41, 47, 53, 59, 66, 74, 82, 90, 99, 108, 117, 127, 138]
K_982 = [0, 1, 2, 3, 5, 7, 10, 13, 16, 19, 23, 28, 32, 37, 43, 49, 55, 62, 69, 76, 84, 92, 101, 110, 119]

VALUES = st.lists(st.floats(-1000, 1000), min_size=6, max_size=25)
LEVELS = st.sampled_from([0.8, 0.95, 0.971, 0.978, 0.982, 0.999])


def found(value: Interval | None) -> Interval:
    assert value is not None
    return value


def near(value: float) -> object:
    return pytest.approx(value, rel=1e-9, abs=1e-6)


class TestHodgesLehmann:
    @pytest.mark.parametrize(
        ("values", "expected"),
        [
            ([5.0], 5.0),
            ([1.0, 2.0], 1.5),
            ([1.0, 2.0, 6.0], 2.75),  # averages 1, 1.5, 2, 3.5, 4, 6
            ([1.0, 2.0, 3.0, 100.0], 2.75),  # averages 1, 1.5, 2, 2, 2.5, 3, 50.5, 51, 51.5, 100
        ],
    )
    def test_by_hand(self, values: list[float], expected: float) -> None:
        assert hodges_lehmann(values) == expected

    @pytest.mark.parametrize("values", [[], [1.0, math.nan], [math.inf]])
    def test_refuses_what_has_no_median(self, values: list[float]) -> None:
        with pytest.raises(ValueError):  # noqa: PT011
            hodges_lehmann(values)


class TestSignedRankK:
    @pytest.mark.parametrize(("level", "table"), [(0.95, K_95), (0.982, K_982)])
    def test_table_from_6_to_30(self, level: float, table: list[int]) -> None:
        assert [signed_rank_k(n, level) for n in range(6, 31)] == table

    @pytest.mark.parametrize(("n", "best"), [(3, 0.75), (4, 0.875), (5, 0.9375), (6, 0.96875)])
    def test_best_possible_level_is_attained_exactly(self, n: int, best: float) -> None:
        assert signed_rank_k(n, best) == 1
        assert signed_rank_k(n, math.nextafter(best, 1)) == 0

    @pytest.mark.parametrize("level", [0.9, 0.95, 0.982, 0.999])
    @pytest.mark.parametrize("n", [61, 80, 120])
    def test_approximation_is_never_narrower_than_exact(
        self, n: int, level: float, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        approximate = signed_rank_k(n, level)
        monkeypatch.setattr(statistics, "LARGEST_EXACT", n)
        exact = signed_rank_k(n, level)
        assert 0.97 * exact <= approximate <= exact


class TestSignedRankInterval:
    def test_six_values_at_95_span_everything(self) -> None:
        assert signed_rank_interval([3.0, 1.0, 6.0, 2.0, 5.0, 4.0], 0.95) == Interval(
            centre=3.5, low=1.0, high=6.0, level=0.95, method="signed-rank", provisional=False
        )

    def test_eight_values_at_95_take_the_fourth_average(self) -> None:
        # averages from below: 1, 1.5, 2, 2, ...; from above: 8, 7.5, 7, 7
        eight = found(signed_rank_interval(range(1, 9), 0.95))
        assert (eight.low, eight.high) == (2.0, 7.0)

    @pytest.mark.parametrize(("n", "level"), [(0, 0.95), (1, 0.95), (5, 0.95), (6, 0.982), (8, 0.994)])
    def test_none_where_the_level_is_out_of_reach(self, n: int, level: float) -> None:
        assert signed_rank_interval([float(v) for v in range(n)], level) is None

    def test_survives_one_ruined_round_from_twelve_on(self) -> None:
        assert found(signed_rank_interval([*range(11), 1e6], 0.95)).high < 11

    @pytest.mark.parametrize(("n", "level", "alarms"), [(8, 0.95, 10), (8, 0.982, 4), (10, 0.95, 50)])
    def test_false_alarms_over_all_signs_are_exact(self, n: int, level: float, alarms: int) -> None:
        """Coin-flip order makes all 2^n signs equally likely, whatever the sizes are: bursts included."""
        sizes = [1.3**i + 40.0 * (i > n - 3) for i in range(n)]
        intervals = [
            found(signed_rank_interval([s * v for s, v in zip(signs, sizes, strict=True)], level))
            for signs in product((-1, 1), repeat=n)
        ]
        assert sum(i.low > 0 or i.high < 0 for i in intervals) == alarms
        assert alarms / 2**n <= 1 - level

    @given(
        st.lists(st.integers(-99, 199).filter(bool), min_size=8, max_size=20, unique_by=abs),
        st.sampled_from([0.8, 0.9, 0.95, 0.982]),
    )
    def test_agrees_with_the_test_of_scipy(self, values: list[int], level: float) -> None:
        made = found(signed_rank_interval(values, level))
        p = scipy.stats.wilcoxon(values, method="exact").pvalue
        assert (made.low <= 0 <= made.high) == (p > 1 - level)


class TestTInterval:
    def test_by_hand(self) -> None:
        # mean 2, sd 1, t(2 degrees, 97.5%) = 4.302653
        three = found(t_interval([1.0, 2.0, 3.0], 0.95))
        assert three.centre == 2.0
        assert three.high - 2.0 == pytest.approx(4.302653 / math.sqrt(3), rel=1e-6)
        assert (three.method, three.provisional) == ("paired-t", True)

    def test_none_below_two(self) -> None:
        assert t_interval([], 0.95) is t_interval([1.0], 0.95) is None

    @given(VALUES, LEVELS)
    def test_agrees_with_scipy(self, values: list[float], level: float) -> None:
        assume(max(values) - min(values) > 0.01)
        ours = found(t_interval(values, level))
        theirs = scipy.stats.ttest_1samp(values, 0).confidence_interval(level)
        assert (ours.low, ours.high) == (near(theirs.low), near(theirs.high))

    def test_finite_at_any_level_below_one(self) -> None:
        assert math.isfinite(found(t_interval([1.0, 2.0], math.nextafter(1, 0))).high)


class TestInterval:
    def test_one_value_has_no_spread(self) -> None:
        assert interval([], 0.95) is interval([1.0], 0.95) is None

    @pytest.mark.parametrize(
        ("n", "level", "method"),
        [
            (2, 0.95, "paired-t"),
            (5, 0.95, "paired-t"),
            (5, 0.9, "paired-t"),
            (6, 0.95, "signed-rank"),
            (6, 0.982, "paired-t"),
            (7, 0.982, "signed-rank"),
            (100, 0.95, "signed-rank"),
        ],
    )
    def test_method_and_mark(self, n: int, level: float, method: str) -> None:
        made = found(interval([float(v) for v in range(n)], level))
        assert (made.method, made.level, made.provisional) == (method, level, method == "paired-t")

    @given(VALUES, LEVELS)
    def test_ordered_and_finite(self, values: list[float], level: float) -> None:
        made = found(interval(values, level))
        assert -math.inf < made.low <= made.centre + 1e-9
        assert made.centre - 1e-9 <= made.high < math.inf

    @given(VALUES)
    def test_signed_rank_stays_inside_the_values(self, values: list[float]) -> None:
        made = found(interval(values, 0.95))
        assert min(values) <= made.low <= made.centre <= made.high <= max(values)

    @given(VALUES, LEVELS, st.randoms(use_true_random=False))
    def test_order_does_not_matter(self, values: list[float], level: float, chance: random.Random) -> None:
        assert interval(chance.sample(values, len(values)), level) == interval(values, level)

    @given(VALUES, LEVELS, st.floats(-1000, 1000), st.floats(0.001, 1000))
    def test_shift_and_scale(self, values: list[float], level: float, shift: float, scale: float) -> None:
        plain = found(interval(values, level))
        moved = found(interval([scale * v + shift for v in values], level))
        assert moved.low == near(scale * plain.low + shift)
        assert moved.centre == near(scale * plain.centre + shift)
        assert moved.high == near(scale * plain.high + shift)

    @given(VALUES, LEVELS)
    def test_inverting_the_ratio_mirrors_it(self, values: list[float], level: float) -> None:
        plain = found(interval(values, level))
        mirrored = found(interval([-v for v in values], level))
        assert (mirrored.low, mirrored.centre, mirrored.high) == (-plain.high, -plain.centre, -plain.low)

    @given(VALUES)
    def test_a_higher_level_is_no_narrower(self, values: list[float]) -> None:
        low, high = found(t_interval(values, 0.95)), found(t_interval(values, 0.982))
        assert high.high - high.low >= low.high - low.low
        wide = signed_rank_interval(values, 0.982)
        narrow = found(signed_rank_interval(values, 0.95))
        assert wide is None or (wide.low <= narrow.low and narrow.high <= wide.high)

    @pytest.mark.parametrize("level", [0.0, 1.0, -0.5, 95.0])
    def test_refuses_a_level_that_is_none(self, level: float) -> None:
        with pytest.raises(ValueError, match="not between 0 and 1"):
            interval([1.0] * 8, level)
        with pytest.raises(ValueError, match="not between 0 and 1"):
            interval([1.0] * 3, level)

    def test_refuses_what_is_not_finite(self) -> None:
        for n in (3, 8):
            with pytest.raises(ValueError, match="not finite"):
                interval([math.nan] * n, 0.95)


def burst(chance: random.Random) -> float:
    """A symmetric difference of 2%, of which one in ten is hit by a burst of 30%."""
    return chance.gauss(0, 0.3 if chance.random() < 0.1 else 0.02)


class TestCoverage:
    """Seeded; tolerances are 4 standard errors of the simulated share."""

    @pytest.mark.parametrize(("n", "held"), [(6, 1 - 2 / 64), (8, 1 - 10 / 256), (12, 1 - 174 / 4096)])
    def test_signed_rank_in_bursts(self, n: int, held: float) -> None:
        chance, sessions = random.Random(n), 4000
        made = [found(interval([burst(chance) for _ in range(n)], 0.95)) for _ in range(sessions)]
        share = sum(i.low <= 0 <= i.high for i in made) / sessions
        assert share == pytest.approx(held, abs=4 * math.sqrt(held * (1 - held) / sessions))

    @pytest.mark.parametrize("n", [2, 3, 5])
    def test_t_on_normal_differences(self, n: int) -> None:
        chance, sessions = random.Random(n), 2000
        made = [found(interval([chance.gauss(0, 1) for _ in range(n)], 0.95)) for _ in range(sessions)]
        share = sum(i.low <= 0 <= i.high for i in made) / sessions
        assert share == pytest.approx(0.95, abs=4 * math.sqrt(0.95 * 0.05 / sessions))

    @pytest.mark.parametrize("looks", [CHECKPOINTS, (8, 14, 24), (8, 20), (30,)])
    def test_all_looks_hold_at_once(self, looks: tuple[int, ...]) -> None:
        chance, sessions, level = random.Random(len(looks)), 1000, look_level(len(looks))
        held = 0
        for _ in range(sessions):
            values = [burst(chance) for _ in range(looks[-1])]
            made = [found(interval(values[:n], level)) for n in looks]
            held += all(i.low <= 0 <= i.high for i in made)
        assert held / sessions == pytest.approx(0.953, abs=4 * math.sqrt(0.953 * 0.047 / sessions))


class TestResolution:
    def test_is_half_the_width_as_a_ratio(self) -> None:
        half_width = math.log(1.038)
        values = [-half_width, half_width, 0.0, 0.0, 0.0, 0.0]
        assert resolution(values, 0.95) == pytest.approx(0.038)

    def test_none_without_an_interval_or_past_any_ratio(self) -> None:
        assert resolution([0.1], 0.95) is None
        assert resolution([-1000.0, 1000.0], 0.95) is None


class TestLevels:
    def test_looks(self) -> None:
        assert [look_level(looks) for looks in (1, 2, 3, 4)] == [0.95, 0.971, 0.978, 0.982]

    @pytest.mark.parametrize("looks", [-1, 0, 5])
    def test_looks_not_simulated(self, looks: int) -> None:
        with pytest.raises(ValueError, match="only for 1 to 4"):
            look_level(looks)

    def test_every_checkpoint_reaches_the_level_of_its_looks(self) -> None:
        assert CHECKPOINTS == (8, 12, 20, 30)
        assert [signed_rank_k(n, look_level(4)) for n in CHECKPOINTS] == [2, 10, 43, 119]

    def test_bonferroni(self) -> None:
        assert corrected_level(0.982, 1) == 0.982
        assert corrected_level(0.95, 2) == pytest.approx(0.975)
        assert corrected_level(0.95, 5) == pytest.approx(0.99)
        with pytest.raises(ValueError, match="at least 1"):
            corrected_level(0.95, 0)


class TestPercentiles:
    @pytest.mark.parametrize(("p", "fewest"), [(50, 2), (90, 10), (95, 20), (99, 100), (10, 10)])
    def test_allowed_from(self, p: int, fewest: int) -> None:
        assert percentile_allowed(fewest, p)
        assert not percentile_allowed(fewest - 1, p)

    @pytest.mark.parametrize(("p", "fewest"), [(90, 36), (95, 72), (99, 368)])
    def test_bound_is_open_above_below(self, p: int, fewest: int) -> None:
        values = [float(v) for v in range(fewest)]
        assert order_statistic_bound([], p) is order_statistic_bound(values[:-1], p) is None
        assert order_statistic_bound(values, p) == fewest - 1

    @given(st.integers(1, 400), st.sampled_from([50, 90, 95, 99]), LEVELS, st.randoms(use_true_random=False))
    def test_agrees_with_scipy(self, n: int, p: int, level: float, chance: random.Random) -> None:
        values = chance.sample(range(1000), n)
        theirs = scipy.stats.quantile_test(values, q=0, p=p / 100).confidence_interval(level).high
        ours = order_statistic_bound(values, p, level)
        assert ours == (None if math.isnan(theirs) else theirs)
