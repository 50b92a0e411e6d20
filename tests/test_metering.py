"""Reading sensors beside a worker: on time, at a cost that is kept to, and without losing what a dead sensor gave."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable

from profiler.measure.metering import Metering, idle
from profiler.runfile import Sensor


class Played:
    """A meter whose readings are played by a function."""

    def __init__(self, read: Callable[[], float | None], period_s: float | None = None) -> None:
        self.sensor = Sensor(
            id="played", source="played", name="played", scope="board", quantity="power", period_s=period_s
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
    """A reading of 10 ms may come every 10 s: after the first three only the last is taken in a third of a second."""

    def slow() -> float:
        time.sleep(0.01)
        return 5.0

    _, values, share = metered(Played(slow), 0.33)
    assert values == [5.0, 5.0, 5.0, 5.0]
    assert share is not None
    assert share > 0.02


def test_one_slow_first_reading_makes_no_sensor_dear() -> None:
    """The first reading finds caches cold, or this process held up: by its time alone the next would come in 10 s."""
    pauses = iter([0.02])

    def held_up_once() -> float:
        time.sleep(next(pauses, 0))
        return 5.0

    _, values, _ = metered(Played(held_up_once), 0.33)
    assert len(values) >= 4


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
    found = idle([Played(lambda: 2.5, period_s=1.0)], sleep=slept.append)
    assert slept == [6.0]
    assert set(found["played"].values) == {2.5}
