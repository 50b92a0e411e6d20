"""Temperatures by name, with the traps of real sensors."""

from __future__ import annotations

from pathlib import Path

import pytest

from profiler.host.kernel_files import UnreadableError
from profiler.telemetry.thermal import temperatures
from tests.board_trees import chip, orin_nano, rock_5b, zone
from tests.host_trees import laptop, plant

NOTHING = "temperature sensors: not offered here"


def test_the_zones_of_an_rk3588(tmp_path: Path) -> None:
    assert temperatures(rock_5b(tmp_path)) == {
        "soc_thermal": 41.0,
        "bigcore0_thermal": 41.5,
        "bigcore1_thermal": 42.0,
        "littlecore_thermal": 42.5,
        "center_thermal": 43.0,
        "gpu_thermal": 43.5,
        "npu_thermal": 44.0,
    }


def test_a_network_chip_at_95_degrees_is_named_and_a_zone_is_not_told_twice(tmp_path: Path) -> None:
    """cv0 is not populated; the chip cpu_thermal is the zone cpu-thermal once more."""
    assert temperatures(orin_nano(tmp_path)) == {
        "cpu-thermal": 48.468,
        "tj-thermal": 49.156,
        "eth0_phy temp1": 95.7,
    }


def test_two_zones_of_one_type_are_both_kept(tmp_path: Path) -> None:
    assert temperatures(laptop(tmp_path)) == {"acpitz": 48.0, "acpitz 2": 61.5}


def test_a_zone_that_fails_keeps_its_number(tmp_path: Path) -> None:
    files = zone(0, "acpitz", -256_000) | zone(1, "acpitz", 61_000)
    assert temperatures(plant(tmp_path, files)) == {"acpitz 2": 61.0}


def test_chips_by_label_else_by_the_number_of_the_sensor(tmp_path: Path) -> None:
    core = {
        "temp1_label": "Package id 0",
        "temp1_input": 71_000,
        "temp10_label": "Core 8",
        "temp10_input": 68_000,
    }
    files = chip(3, "coretemp", temp2_label="Core 0", temp2_input=66_000, **core)
    files |= chip(0, "nvme", temp1_input=40_850) | chip(1, "nvme", temp1_input=38_850)
    assert temperatures(plant(tmp_path, files)) == {
        "nvme temp1": 40.85,
        "nvme temp1 2": 38.85,
        "coretemp Package id 0": 71.0,
        "coretemp Core 0": 66.0,
        "coretemp Core 8": 68.0,
    }


def test_a_labelled_chip_is_not_taken_for_a_zone(tmp_path: Path) -> None:
    files = zone(0, "nvme", 40_000) | chip(0, "nvme", temp1_input=41_000, temp1_label="Composite")
    assert temperatures(plant(tmp_path, files)) == {"nvme": 40.0, "nvme Composite": 41.0}


def test_a_sensor_of_whole_degrees(tmp_path: Path) -> None:
    assert temperatures(plant(tmp_path, zone(1, "soc-thermal", 47_000))) == {"soc-thermal": 47}


@pytest.mark.parametrize(
    ("kind", "millidegrees"),
    [
        ("cpu-thermal", "-256000"),  # not populated
        ("cpu-thermal", "0"),
        ("cpu-thermal", "220000"),
        ("PMIC-Die", "100000"),  # a constant of older Jetson boards
        ("cpu-thermal", "<unknown>"),
        ("cpu-thermal", "48.5"),
        ("cpu-thermal", "9999999999999999999"),
        ("cpu-thermal", ""),
        ("cpu-thermal", "\x00\x1b[2J"),
    ],
)
def test_what_no_chip_can_have_is_left_out(tmp_path: Path, kind: str, millidegrees: str) -> None:
    root = plant(tmp_path, zone(0, kind, millidegrees) | zone(1, "gpu-thermal", 40_000))
    assert temperatures(root) == {"gpu-thermal": 40.0}


def test_a_pmic_that_is_measured(tmp_path: Path) -> None:
    assert temperatures(plant(tmp_path, zone(0, "PMIC-Die", 50_000))) == {"PMIC-Die": 50.0}


def test_a_sensor_that_is_reported_as_faulty(tmp_path: Path) -> None:
    root = plant(tmp_path, chip(0, "nct6798", temp1_input=30_000, temp1_fault=1, temp2_input=31_000))
    assert temperatures(root) == {"nct6798 temp2": 31.0}


def test_the_reason_tells_what_was_read(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match=r"thermal_zone0/temp: no chip has -256 degrees"):
        temperatures(plant(tmp_path, zone(0, "cpu-thermal", -256_000)))


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match=NOTHING):
        temperatures(tmp_path)


def test_a_zone_without_a_type_and_a_chip_without_a_name(tmp_path: Path) -> None:
    root = plant(tmp_path, zone(3, "", 40_000) | chip(5, "", temp1_input=41_000))
    assert temperatures(root) == {"thermal_zone3": 40.0, "nameless temp1": 41.0}


def test_folders_where_files_should_be(tmp_path: Path) -> None:
    (tmp_path / "sys/class/thermal/thermal_zone0/temp").mkdir(parents=True)
    (tmp_path / "sys/class/hwmon/hwmon0/temp1_input").mkdir(parents=True)
    with pytest.raises(UnreadableError, match="Is a directory"):
        temperatures(tmp_path)


def test_the_battery_of_a_mouse_is_called_by_its_address(tmp_path: Path) -> None:
    files = zone(0, "hid-52:54:00:ab:cd:ef", 30_000) | chip(
        0, "hid_52_54_00_ab_cd_ef_battery", temp1_input=29_000
    )
    with pytest.raises(UnreadableError, match=NOTHING):
        temperatures(plant(tmp_path, files))
