"""Captured boards behind an agent: what is read over a link is what is read on the board itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from profiler.boards.gauges import Gauges
from profiler.boards.link import Link
from profiler.boards.mirror import Mirror
from profiler.host.environment import environment
from profiler.host.identity import identity
from profiler.host.machine import available_memory, this_machine
from profiler.measure.metering import speaking
from profiler.runfile import Anchor
from profiler.telemetry.reading import board as state
from profiler.telemetry.reading import found_meters
from tests import board_trees, machines
from tests.boards import FakeBoard

AT = Anchor(wall_ns=1, mono_ns=1)
BOARDS: dict[str, tuple[Callable[[Path], Path], Callable[[Path], Path]]] = {
    "Pi 5": (machines.raspberry_pi_5, board_trees.raspberry_pi_5),
    "Orin Nano": (machines.jetson_orin_nano, board_trees.orin_nano),
    "RK3588": (machines.rock_5b, board_trees.rock_5b),
}


@pytest.fixture
def link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Link:
    (tmp_path / "board").mkdir()
    board = FakeBoard(tmp_path / "board")
    monkeypatch.setenv("PATH", board.env["PATH"])
    return Link("pi@board", board.words[-1])


def trees(name: str, tmp_path: Path) -> list[Path]:
    """The board as the tests of `host` have it, and as those of `telemetry` do."""
    roots = [tmp_path / "machine", tmp_path / "telemetry"]
    for root in roots:
        root.mkdir()
    return [make(root) for make, root in zip(BOARDS[name], roots, strict=True)]


@pytest.mark.parametrize("name", BOARDS)
def test_a_board_is_known_and_read_over_its_link(name: str, link: Link, tmp_path: Path) -> None:
    for number, there in enumerate(trees(name, tmp_path)):
        here = Mirror(link, tmp_path / f"mirror{number}", str(there)).root
        assert identity(here) == identity(there)
        assert this_machine(here) == this_machine(there)
        assert available_memory(here) == available_memory(there)
        assert state(AT, here) == state(AT, there)
        assert msgspec.structs.replace(environment(here), unreadable={}) == msgspec.structs.replace(
            environment(there), unreadable={}
        )
    link.close()


def test_sensors_are_sampled_there_and_read_here(link: Link, tmp_path: Path) -> None:
    """VDD_IN of an Orin Nano changes while it is watched."""
    there = trees("Orin Nano", tmp_path)[1]
    mirror = Mirror(link, tmp_path / "mirror", str(there))
    meters = speaking(found_meters(mirror.root)[0])
    assert [meter.sensor for meter in meters] == [m.sensor for m in speaking(found_meters(there)[0])]
    assert meters
    gauges = Gauges(meters, mirror)
    gauges.begin(link, idle=True)
    time.sleep(0.4)
    (current,) = [file for file in there.rglob("curr*_input") if "1" in file.name][:1]
    before = int(current.read_text())
    current.write_text(str(2 * before))
    time.sleep(1.0)
    samples, share = gauges.end(link)
    values = samples[meters[0].sensor.id].values
    assert values[-1] == pytest.approx(2 * values[0])
    assert samples[meters[0].sensor.id].at_ns == sorted(samples[meters[0].sensor.id].at_ns)
    assert share is not None
    assert 0 < share < 0.5
    link.close()


def test_no_sensor_is_not_asked_for(link: Link, tmp_path: Path) -> None:
    there = trees("RK3588", tmp_path)[0]
    gauges = Gauges([], Mirror(link, tmp_path / "mirror", str(there)))
    gauges.begin(link)
    assert gauges.end(link) == ({}, None)
    link.close()
