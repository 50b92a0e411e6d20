"""Reading sensors beside a worker: on time, at a cost that is kept to, and without losing what a dead sensor gave."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable

import pytest

from profiler.measure.metering import Metering, idle, shares
from profiler.runfile import Sensor


class Played:
    """A meter whose readings are played by a function."""

    def __init__(
        self,
        read: Callable[[], float | None],
        period_s: float | None = None,
        scope: str = "board",
    ) -> None:
        self.sensor = Sensor(
            id="played", source="played", name="played", scope=scope, quantity="power", period_s=period_s
        )
        self.read = read

    def close(self) -> None:
        """Nothing to free."""


def metered(meter: Played, seconds: float) -> tuple[list[int], list[float], float | None]:
    metering = Metering([meter])
    metering.start()
    time.sleep(seconds)
    samples, share = metering.stop()
    return samples["played"].at_ns, samples["played"].values, share


def test_readings_lie_in_order_between_start_and_stop() -> None:
    count = itertools.count()
    began = time.perf_counter_ns()
    at, values, _ = metered(Played(lambda: float(next(count))), 0.3)
    assert at == sorted(at)
    assert began <= at[0]
    assert at[-1] <= time.perf_counter_ns()
    assert values == [float(n) for n in range(len(values))]
    assert 2 <= len(values) <= 8


def test_a_dear_reading_is_rare() -> None:
    """A reading of 10 ms may come every 5 s: in a third of a second the first one is taken, that which shows what they
    cost, and the last one."""

    def slow() -> float:
        time.sleep(0.01)
        return 5.0

    _, values, share = metered(Played(slow), 0.33)
    assert values == [5.0, 5.0, 5.0]
    assert share is not None
    assert share > 0.02


def test_a_first_reading_that_is_dear_does_not_put_off_the_next() -> None:
    """50 ms at first, as of a file that nobody has read yet: it alone would have been paid after 10 s."""
    dear = iter([True])

    def cold() -> float:
        if next(dear, False):
            time.sleep(0.05)
        return 5.0

    _, values, _ = metered(Played(cold), 0.5)
    assert len(values) > 2


def test_a_part_costs_a_tenth_of_what_a_whole_may_cost() -> None:
    """No row rests on a part: AGX Orin's three inputs are read nearly as often as if they were alone."""
    inputs = [Played(lambda: 5.0) for _ in range(3)]
    part = Played(lambda: 5.0, scope="part")
    assert shares([*inputs, part], 0.0031) == pytest.approx([0.001, 0.001, 0.001, 0.0001])
    assert shares([part, part], 0.002) == [0.001, 0.001]


def test_no_sensor_is_read_twice_within_its_period() -> None:
    _, values, _ = metered(Played(lambda: 5.0, period_s=1.0), 0.3)
    assert values == [5.0, 5.0]


def test_a_reading_that_failed_is_left_out() -> None:
    played = iter([1.0, None, 3.0])
    at, values, _ = metered(Played(lambda: next(played, None)), 0.2)
    assert values == [1.0, 3.0]
    assert len(at) == 2


def test_nothing_is_started_without_meters() -> None:
    metering = Metering([])
    metering.start()
    assert metering.stop() == ({}, None)
    assert idle([], sleep=lambda _: None) == {}


def test_an_idle_machine_is_read_for_a_while() -> None:
    slept: list[float] = []
    found = idle([Played(lambda: 2.5, period_s=0.5)], sleep=slept.append)
    assert slept == [6.0]
    assert set(found["played"].values) == {2.5}
