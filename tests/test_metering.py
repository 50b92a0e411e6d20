"""Reading sensors beside a worker: on time, at a cost that is kept to, and without losing what a dead sensor gave."""

from __future__ import annotations

import itertools
import math
import threading
import time
from collections.abc import Callable

import msgspec
import pytest

from profiler.measure.metering import Metering, idle
from profiler.measure.start import Prepared, with_known_meters
from profiler.runfile import Sensor
from tests.run_builder import case, run


class Played:
    """A meter whose readings are played by a function."""

    def __init__(
        self, read: Callable[[], float | None], period_s: float | None = None, id: str = "played"
    ) -> None:
        self.sensor = Sensor(
            id=id, source="played", name="played", scope="board", quantity="power", period_s=period_s
        )
        self.read = read

    closed = False

    def close(self) -> None:
        self.closed = True


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


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e16])
def test_a_reading_that_no_run_file_can_hold_failed(value: float) -> None:
    played = iter([1.0, value, 3.0])
    _, values, _ = metered(Played(lambda: next(played, None)), 0.2)
    assert values == [1.0, 3.0]


def test_a_sensor_that_raises_ends_neither_the_run_nor_the_other_sensors() -> None:
    """A driver's library may raise anything."""
    played = itertools.count()

    def dies() -> float:
        if next(played) >= 2:
            raise RuntimeError("the driver was unloaded")
        return 5.0

    lively = Played(lambda: 7.0, id="lively")
    metering = Metering([Played(dies), lively])
    metering.start()
    time.sleep(0.4)
    samples, _ = metering.stop()
    assert samples["played"].values == [5.0, 5.0]
    assert len(samples["lively"].values) >= 4


def test_a_sensor_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("profiler.measure.metering.PATIENCE_S", 0.2)
    free = threading.Event()
    played = itertools.count()

    def hangs() -> float:
        if next(played):
            free.wait()
        return 5.0

    _, values, _ = metered(Played(hangs), 0.1)
    free.set()
    assert values == [5.0]


def test_a_long_worker_has_no_more_readings_than_a_line_can_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """With room for four, the fifth makes three of five, and the readings rarer."""
    monkeypatch.setattr("profiler.measure.metering.MOST_READINGS", 4)
    monkeypatch.setattr("profiler.measure.metering.SHORTEST_S", 0.01)
    count = itertools.count()
    at, values, _ = metered(Played(lambda: float(next(count))), 0.5)
    assert at == sorted(at)
    assert 2 <= len(values) <= 4
    assert values[0] == 0
    assert values[-1] >= 5
    assert next(count) < 25


def test_what_was_read_so_far_is_told_while_reading_goes_on() -> None:
    metering = Metering([Played(lambda: 5.0)])
    metering.start()
    time.sleep(0.1)
    samples, share = metering.told()
    assert set(samples["played"].values) == {5.0}
    assert share is not None
    metering.stop()


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


def test_a_run_that_goes_on_reads_the_sensors_of_its_header_and_closes_the_sources_of_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known, beside, other = (Played(lambda: 5.0, id=id) for id in ("known", "beside", "other"))
    other.sensor = msgspec.structs.replace(other.sensor, source="tegrastats")
    monkeypatch.setattr("profiler.measure.start.found_meters", lambda: ([known, beside, other], {}))
    header = run([case("r1")], sensors=[known.sensor]).header
    prepared = Prepared(header=header, paths={}, needs={}, refusals={}, available_bytes=None, way=None)
    assert with_known_meters(prepared, external=False).meters == [known]
    assert [meter.closed for meter in (known, beside, other)] == [False, False, True]
