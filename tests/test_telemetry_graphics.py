"""Clock and load of the GPUs of PCs."""

from __future__ import annotations

from pathlib import Path

import pytest

from profiler.host.kernel_files import UnreadableError
from profiler.telemetry.graphics import STATE
from profiler.telemetry.protocol import Readings
from tests.board_trees import files
from tests.host_trees import plant

CARDS = "sys/class/drm"


def card(root: Path, number: int, **values: object) -> Path:
    return plant(root, files(f"{CARDS}/card{number}", **values))


def read(topic: str, root: Path) -> Readings:
    return STATE[topic](root)


def test_intels_older_driver(tmp_path: Path) -> None:
    root = card(tmp_path, 0, gt_act_freq_mhz=350, gt_max_freq_mhz=1150)
    assert read("gpu_clock", root) == {"card0": 350_000_000}
    assert read("gpu_clock_asked", root) == {"card0": 1_150_000_000}


def test_intels_newer_driver(tmp_path: Path) -> None:
    """A GPU that rests; the other one does not tell its clock."""
    freq = "device__tile0__gt0__freq0"
    card(tmp_path, 0, device__vendor="0x10de")
    root = card(tmp_path, 1, **{f"{freq}__act_freq": 0, f"{freq}__max_freq": 2050})
    assert read("gpu_clock", root) == {"card1": "off"}
    assert read("gpu_clock_asked", root) == {"card1": 2_050_000_000}


def test_amds_driver(tmp_path: Path) -> None:
    levels = "0: 800Mhz\n1: 1200Mhz *\n2: 2900Mhz"
    values = {"device__gpu_busy_percent": 4, "device__pp_dpm_sclk": levels}
    root = card(tmp_path, 1, device__hwmon__hwmon4__freq1_input=1_198_000_000, **values)
    assert read("gpu_clock", root) == {"card1": 1_198_000_000}
    assert read("gpu_clock_asked", root) == {"card1": 2_900_000_000}
    assert read("gpu_load", root) == {"card1": 0.04}


def test_the_outputs_of_a_card_are_no_cards(tmp_path: Path) -> None:
    root = plant(tmp_path, files(f"{CARDS}/card0-DP-1", gt_act_freq_mhz=350))
    with pytest.raises(UnreadableError, match=f"GPU in {CARDS}: not offered here"):
        read("gpu_clock", root)


@pytest.mark.parametrize("topic", STATE)
def test_nothing_there(tmp_path: Path, topic: str) -> None:
    with pytest.raises(UnreadableError, match=f"GPU in {CARDS}: not offered here"):
        read(topic, tmp_path)


@pytest.mark.parametrize("said", ["<unknown>", "", "-350", "9999999999999999999", "\x00\xff", "350 MHz"])
def test_a_clock_that_is_none(tmp_path: Path, said: str) -> None:
    root = card(tmp_path, 0, gt_act_freq_mhz=said, gt_max_freq_mhz=said)
    for topic in ("gpu_clock", "gpu_clock_asked"):
        with pytest.raises(UnreadableError, match="card0/gt_"):
            read(topic, root)


@pytest.mark.parametrize("said", ["", "0: 800", "x: 800Mhz", "0: 9999999Mhz", "<unknown>"])
def test_levels_that_are_none(tmp_path: Path, said: str) -> None:
    with pytest.raises(UnreadableError, match="pp_dpm_sclk: lists no clock"):
        read("gpu_clock_asked", card(tmp_path, 0, device__pp_dpm_sclk=said))


@pytest.mark.parametrize("said", ["101", "-1", "", "4%"])
def test_a_load_that_is_none(tmp_path: Path, said: str) -> None:
    with pytest.raises(UnreadableError, match="card0/device/gpu_busy_percent"):
        read("gpu_load", card(tmp_path, 0, device__gpu_busy_percent=said))
