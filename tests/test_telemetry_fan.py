"""Fans: how fast they turn, and how hard they are driven."""

from __future__ import annotations

from pathlib import Path

import pytest

from profiler.host.kernel_files import UnreadableError
from profiler.telemetry.fan import fans
from tests.board_trees import chip, cooling, orin_nano, raspberry_pi_5
from tests.host_trees import plant


def test_a_raspberry_pi_5(tmp_path: Path) -> None:
    assert fans(raspberry_pi_5(tmp_path)) == {"pwmfan fan1": 3012, "pwm-fan": "1 of 4"}


def test_an_orin_nano(tmp_path: Path) -> None:
    assert fans(orin_nano(tmp_path)) == {"pwm_tach fan1": 2140, "pwm-fan": "1 of 3"}


def test_a_desktop_by_label(tmp_path: Path) -> None:
    files = chip(2, "nct6798", fan1_input=0, fan2_input=1180, fan2_label="CPU Fan")
    assert fans(plant(tmp_path, files)) == {"nct6798 fan1": 0, "nct6798 CPU Fan": 1180}


def test_acpi_has_several_fans_of_one_name(tmp_path: Path) -> None:
    files = cooling(0, "Fan", 0, 1) | cooling(1, "Fan", 1, 1) | cooling(2, "Processor", 0, 10)
    assert fans(plant(tmp_path, files)) == {"Fan": "0 of 1", "Fan 2": "1 of 1"}


@pytest.mark.parametrize("rpm", ["65535", "-1", "<unknown>", "", "9999999999999999999", "\x00\xff"])
def test_a_speed_that_is_none(tmp_path: Path, rpm: str) -> None:
    root = plant(tmp_path, chip(0, "thinkpad", fan1_input=rpm, fan2_input=2000))
    assert fans(root) == {"thinkpad fan2": 2000}


@pytest.mark.parametrize(
    ("step", "highest"), [("9", "4"), ("-2", "4"), ("x", "4"), ("1", ""), ("0", "9" * 19)]
)
def test_a_step_that_is_none(tmp_path: Path, step: str, highest: str) -> None:
    with pytest.raises(UnreadableError, match="cooling_device0"):
        fans(plant(tmp_path, cooling(0, "pwm-fan", step, highest)))


def test_no_fan(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="fans: not offered here"):
        fans(plant(tmp_path, cooling(0, "thermal-cpufreq-0", 0, 5)))
