"""What the bench of telemetry concludes, and that it measures what it says: pairs, a tree of sensors, the board."""

from __future__ import annotations

import math
import threading
from collections import Counter
from pathlib import Path

import pytest

from bench.pairs import Ratio
from bench.telemetry import (
    Metered,
    decoder,
    looking,
    looking_by_source,
    paired,
    planted,
    told_of_board,
    told_of_sampler,
    usual,
    verdict,
)
from profiler.runfile import Sensor
from profiler.telemetry.reading import found_meters
from profiler.telemetry.sources import STATE_SOURCES

pytestmark = pytest.mark.alone


class Counted:
    """A gauge that counts its readings."""

    sensor = Sensor(id="counted", source="counted", name="counted", scope="board", quantity="power")

    def __init__(self) -> None:
        self.readings = 0

    def read(self) -> float:
        self.readings += 1
        return 5.0

    def close(self) -> None:
        """Nothing to free."""


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.999, 1.0049, "under 0.5% of decode time"),
        (1.0051, 1.007, "NOT under 0.5% of decode time"),
        (0.998, 1.006, "not shown to be under 0.5% of decode time: its interval reaches beyond it"),
    ],
)
def test_the_whole_interval_is_judged(low: float, high: float, said: str) -> None:
    assert verdict(Ratio(value=(low * high) ** 0.5, low=low, high=high, rounds=500)) == said


def test_the_sampler_is_at_work_in_one_block_of_each_pair() -> None:
    meter, alone, threads = Counted(), threading.active_count(), list[int]()

    def block() -> float:
        threads.append(threading.active_count() - alone)
        return 1.0

    found = paired(block, [meter], pairs=6, settle_s=0.02)
    assert [sorted(pair) for pair in zip(threads[::2], threads[1::2], strict=True)] == [[0, 1]] * 6
    assert found.logs == [0.0] * 6
    assert (len(found.shares), len(found.readings_per_s)) == (6, 6)
    assert meter.readings >= 12, "each sampler reads when it starts and when it stops"


def test_a_ratio_is_with_over_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.telemetry._beside_sampler", lambda *_: 1.02)
    found = paired(lambda: 1.0, [], pairs=6, settle_s=0)
    assert found.logs == pytest.approx([math.log(1.02)] * 6)


def test_what_is_told_of_the_sampler() -> None:
    """Twenty times as many readings as in a run made decoding 2% slower: in a run it is 0.1%."""
    found = Metered(logs=[math.log(1.02)] * 8, readings_per_s=[180.0, 220.0, 200.0], shares=[0.02] * 3)
    assert told_of_sampler(found, sensors=5, usual_per_s=10.0, share=0.001) == [
        "decode time with 5 sensors read 200 times a second / without: 1.0200 (1.0200 to 1.0200, 8 rounds)",
        "scaled to the 10 readings a second of a run, 0.10% of one core: 1.0010 (1.0010 to 1.0010, 8 rounds)",
        "the sampler costs under 0.5% of decode time",
    ]


def test_a_run_reads_as_often_as_its_budget_allows() -> None:
    """A reading of nothing is cheap: no sensor is read more often than every 50 ms."""
    readings_per_s, share = usual([Counted()], seconds=0.5)
    assert 4 <= readings_per_s <= 30
    assert share < 0.05


def test_what_is_told_of_the_board() -> None:
    by_source = {"thermal": 3.14, "cpufreq": 1.0, "fan": 0.5, "paging": 0.1}
    assert told_of_board([9.0, 4.0, 5.0], by_source, topics=7) == [
        "state of the board, twice a worker and outside its passes: 5.0 ms (the first time 9.0 ms), 7 topics read here",
        "the dearest sources: thermal 3.1 ms, cpufreq 1.0 ms, fan 0.5 ms",
    ]


def test_every_source_of_the_board_is_timed() -> None:
    found = looking_by_source(looks=1)
    assert found.keys() == STATE_SOURCES.keys()
    assert list(found.values()) == sorted(found.values(), reverse=True)
    assert all(ms > 0 for ms in looking(looks=2))


def test_the_tree_has_more_sensors_than_any_machine(tmp_path: Path) -> None:
    meters, _ = found_meters(planted(tmp_path))
    assert Counter(meter.sensor.source.split()[0] for meter in meters) == {
        "rapl": 5, "ina3221": 3, "hwmon": 1, "battery": 1
    }  # fmt: skip
    assert all(meter.read() for meter in meters)


def test_another_process_decodes_a_block_at_each_call(smollm2: Path) -> None:
    """More blocks than are decoded behind one prompt."""
    with decoder(smollm2, threads=1) as block:
        assert all(block() > 0 for _ in range(9))
