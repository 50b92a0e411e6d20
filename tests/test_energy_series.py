"""Energy between two moments from readings that can be added up by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.analyse.energy_series import Series, series
from profiler.analyse.power_log import in_order, log_sensor, on_stamps
from profiler.runfile import Anchor, PowerLog, Samples
from tests.run_builder import sensor

S = 1_000_000_000


def gauge(*readings: tuple[float, float], period_s: float | None = None) -> Series:
    """Watts at seconds."""
    return series(sensor("ina3221", quantity="power", scope="board", period_s=period_s), samples(*readings))


def counter(*readings: tuple[float, float], wraps_at_j: float | None = None) -> Series:
    """Joules at seconds."""
    return series(sensor(wraps_at_j=wraps_at_j), samples(*readings))


def samples(*readings: tuple[float, float]) -> Samples:
    return Samples(at_ns=[round(at * S) for at, _ in readings], values=[value for _, value in readings])


def joules(found: Series, start_s: float, end_s: float) -> float | None:
    return found.between(round(start_s * S), round(end_s * S))


def updates(found: Series, start_s: float, end_s: float) -> int:
    return found.updates(round(start_s * S), round(end_s * S))


class TestGauge:
    def test_five_watts_for_two_seconds_are_ten_joules(self) -> None:
        assert joules(gauge((0, 5), (1, 5), (2, 5)), 0, 2) == 10

    def test_from_one_reading_to_the_next_power_changes_evenly(self) -> None:
        """From 0 to 10 W within a second: 5 J, a quarter of it in the first half."""
        ramp = gauge((0, 0), (1, 10), (2, 10))
        assert joules(ramp, 0, 1) == 5
        assert joules(ramp, 0, 0.5) == 1.25
        assert joules(ramp, 0.5, 1.5) == 3.75 + 5

    @pytest.mark.parametrize(("start", "end"), [(-0.1, 1), (1, 2.1), (3, 4), (1, 1), (1, 0.5)])
    def test_nothing_is_told_beyond_the_readings(self, start: float, end: float) -> None:
        assert joules(gauge((0, 5), (1, 5), (2, 5)), start, end) is None

    def test_across_a_long_gap_nothing_is_known(self) -> None:
        """Every second, and then nothing for six."""
        found = gauge(*((float(at), 5.0) for at in (0, 1, 2, 3, 9, 10, 11)))
        assert joules(found, 0, 3) == 15
        assert joules(found, 9, 11) == 10
        assert joules(found, 2, 10) is None
        assert joules(found, 4, 5) is None

    def test_a_gap_of_five_intervals_is_still_followed(self) -> None:
        assert joules(gauge(*((float(at), 5.0) for at in (0, 1, 2, 3, 8, 9, 10))), 0, 10) == 50

    def test_a_sensor_that_died_covers_nothing_after_its_last_reading(self) -> None:
        assert joules(gauge((0, 5), (1, 5), (2, 5)), 1.5, 2.5) is None

    @pytest.mark.parametrize("readings", [[], [(0, 5)], [(0, 5), (0, 7)]])
    def test_less_than_two_readings_are_no_energy(self, readings: list[tuple[float, float]]) -> None:
        assert joules(gauge(*readings), 0, 1) is None

    def test_a_reading_that_goes_back_in_time_is_left_out(self) -> None:
        assert joules(gauge((0, 5), (2, 5), (1, 500), (3, 5)), 0, 3) == 15


class TestCounter:
    def test_the_difference(self) -> None:
        assert joules(counter((0, 100), (1, 105), (2, 115)), 0, 2) == 15

    def test_between_readings_it_runs_on_evenly(self) -> None:
        assert joules(counter((0, 100), (1, 105), (2, 115)), 0.5, 1.5) == 2.5 + 5

    def test_it_wraps_around(self) -> None:
        """262143.3 J and on from 0, as the counters of Intel's processors do."""
        found = counter((0, 262138.3), (1, 262142.3), (2, 3.0), (3, 7.0), wraps_at_j=262143.3)
        assert joules(found, 0, 3) == pytest.approx(4 + 4 + 4)

    def test_one_that_falls_without_a_wrap_is_not_known_there(self) -> None:
        found = counter((0, 100), (1, 105), (2, 1), (3, 6))
        assert joules(found, 0, 1) == 5
        assert joules(found, 2, 3) == 5
        assert joules(found, 0.5, 2.5) is None

    def test_one_that_was_set_to_zero_did_not_wrap(self) -> None:
        """From 105 J to 1 J would be 262039 J in a second, after 5 W."""
        found = counter((0, 100), (1, 105), (2, 1), (3, 6), wraps_at_j=262143.3)
        assert joules(found, 0, 3) is None
        assert joules(found, 2, 3) == 5

    def test_a_gap_in_which_it_may_have_wrapped_is_not_known(self) -> None:
        """At 5 W, 100 J last 20 seconds."""
        within = counter((0, 0), (1, 5), (2, 10), (19, 95), (20, 99), wraps_at_j=100)
        beyond = counter((0, 0), (1, 5), (2, 10), (23, 15), (24, 20), wraps_at_j=100)
        assert joules(within, 0, 20) == 99
        assert joules(beyond, 0, 24) is None
        assert joules(beyond, 0, 2) == 10

    def test_a_long_gap_has_its_energy_but_no_moment_within_it(self) -> None:
        found = counter((0, 0), (1, 5), (2, 10), (9, 45), (10, 50))
        assert joules(found, 0, 10) == 50
        assert joules(found, 0, 5) is None

    def test_one_that_is_read_more_often_than_it_moves(self) -> None:
        """10 W, told each second and read each quarter of one: it did not stand still and then jump."""
        found = counter(*((n / 4, 10.0 * (n // 4)) for n in range(17)))
        assert joules(found, 1.5, 3.5) == pytest.approx(20)

    def test_its_first_news_is_of_a_time_that_began_before_it_was_read(self) -> None:
        """The 10 J told at 1 s were not all taken since 0.75 s."""
        found = counter(*((n / 4, 10.0 * (n // 4)) for n in range(3, 17)))
        assert joules(found, 0.75, 2) is None
        assert joules(found, 1, 2) == pytest.approx(10)

    def test_what_it_took_after_its_last_news_is_not_known_yet(self) -> None:
        """10 W, told each second and read each quarter until 4.5 s: nothing says that it took nothing after 4 s."""
        found = counter(*((n / 4, 10.0 * (n // 4)) for n in range(19)))
        assert joules(found, 3, 4) == pytest.approx(10)
        assert joules(found, 3, 4.4) is None

    def test_one_that_is_silent_for_more_than_five_of_its_intervals_rests(self) -> None:
        moving = [(float(n), 10.0 * n) for n in range(5)]
        silent = [(float(n), 40.0) for n in range(5, 11)]
        assert joules(counter(*moving, *silent), 3, 10) == 10
        assert joules(counter(*moving, *silent[:5]), 3, 9) is None

    def test_one_that_never_moves_takes_nothing(self) -> None:
        assert joules(counter((0, 100), (1, 100), (2, 100)), 0, 2) == 0


class TestUpdates:
    """What is news: a reading that differs, or one that came when the sensor's own period was over."""

    def test_each_reading_that_differs(self) -> None:
        assert updates(gauge((0, 5), (1, 6), (2, 7), (3, 7)), 0, 3) == 2

    def test_of_a_sensor_without_a_known_period_equal_readings_may_be_one(self) -> None:
        assert updates(gauge(*((float(n), 5.0) for n in range(11))), 0, 10) == 0

    def test_of_one_read_as_often_as_it_measures_every_reading(self) -> None:
        assert updates(gauge(*((float(n), 5.0) for n in range(11)), period_s=1), 0, 10) == 10

    def test_of_one_read_more_often_than_it_measures_one_each_period(self) -> None:
        """Ten seconds at the same power, read each half second, measured every two."""
        assert updates(gauge(*((n / 2, 5.0) for n in range(21)), period_s=2), 0, 10) == 5

    def test_a_counter_that_does_not_move_has_no_news(self) -> None:
        assert updates(counter((0, 0), (1, 5), (2, 5), (3, 5), (4, 10)), 0, 4) == 2

    def test_those_inside_the_window_alone(self) -> None:
        found = counter(*((float(n), 5.0 * n) for n in range(11)))
        assert updates(found, 2.5, 6) == 4

    def test_the_usual_interval(self) -> None:
        assert gauge((0, 5), (1, 5), (2, 5), (5, 5)).interval_s == 1
        assert gauge((0, 5)).interval_s is None


VALUES = st.lists(st.floats(0, 1000), min_size=3, max_size=30)


@given(VALUES, st.lists(st.integers(0, 10**9), min_size=3, max_size=3, unique=True), st.booleans())
def test_the_energy_of_adjacent_windows_adds_up(
    values: list[float], moments: list[int], counts: bool
) -> None:
    step = 10**9 // (len(values) - 1)
    read = Samples(at_ns=[n * step for n in range(len(values))], values=sorted(values) if counts else values)
    found = series(sensor(quantity="energy" if counts else "power"), read)
    a, b, c = (moment * (step * (len(values) - 1)) // 10**9 for moment in sorted(moments))
    parts = [found.between(a, b), found.between(b, c)]
    if None not in parts and a < b < c:
        assert found.between(a, c) == pytest.approx(sum(filter(None, parts)), rel=1e-9, abs=1e-9)


class TestPowerLog:
    """A meter of the whole device, which knows the wall clock only."""

    STARTED, ENDED = Anchor(wall_ns=1000 * S, mono_ns=50 * S), Anchor(wall_ns=1100 * S, mono_ns=150 * S)

    def log(self, *readings: tuple[float, float]) -> PowerLog:
        return PowerLog(
            name="meter.csv", wall_ns=[round(at * S) for at, _ in readings], watts=[w for _, w in readings]
        )

    def test_its_readings_on_the_clock_of_the_stamps(self) -> None:
        lines = in_order(self.log((1000, 5), (1050, 6), (1100, 7)))
        found = on_stamps(lines, self.STARTED, self.ENDED)
        assert found == Samples(at_ns=[50 * S, 100 * S, 150 * S], values=[5, 6, 7])

    def test_a_clock_that_drifts_is_followed(self) -> None:
        """The wall clock gains 50 ms in 100 s: half of it at the middle."""
        ended = Anchor(wall_ns=1100 * S + 50_000_000, mono_ns=150 * S)
        lines = in_order(self.log((1050.025, 6)))
        assert on_stamps(lines, self.STARTED, ended).at_ns == [100 * S]

    @pytest.mark.parametrize("wall_s", [1105, 1095, 1000, 900])
    def test_a_clock_that_was_set_meanwhile_ties_nothing(self, wall_s: int) -> None:
        ended = Anchor(wall_ns=wall_s * S, mono_ns=150 * S)
        assert on_stamps(in_order(self.log((1050, 6))), self.STARTED, ended) == Samples()

    def test_one_reading_on_either_side_and_no_more(self) -> None:
        lines = in_order(self.log(*((at, 5) for at in (980, 990, 1010, 1090, 1110, 1120))))
        assert on_stamps(lines, self.STARTED, self.ENDED).at_ns == [at * S for at in (40, 60, 140, 160)]

    def test_lines_in_any_order(self) -> None:
        assert in_order(self.log((2, 20), (1, 10))) == [(S, 10), (2 * S, 20)]

    def test_it_covers_the_device_and_each_line_is_new(self) -> None:
        found = log_sensor(self.log((0, 5), (1, 5), (2, 5)))
        assert (found.scope, found.quantity, found.period_s, found.name) == (
            "device",
            "power",
            1,
            "meter.csv",
        )

    def test_a_log_without_lines(self) -> None:
        assert log_sensor(self.log()).period_s is None
        assert on_stamps([], self.STARTED, self.ENDED) == Samples()
