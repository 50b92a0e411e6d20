"""The power sensors of Jetson boards, from constructed trees: all values are our own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profiler.host.capture import capture
from profiler.host.kernel_files import UnreadableError
from profiler.telemetry.ina3221 import meters
from profiler.telemetry.jetson_rails import MODULE_ONLY, NOT_KNOWN
from profiler.telemetry.protocol import Meter
from tests.machines import plant

CLASS = "sys/class/hwmon"
DRIVER = "sys/bus/i2c/drivers/ina3221"
OLD_DRIVER = "sys/bus/i2c/drivers/ina3221x"

Channel = tuple[str, int, int]


def chip(folder: str, *channels: Channel) -> dict[str, str]:
    """Label, millivolts and milliamperes of each channel, and the channels that are no rails."""
    files = {f"{folder}/name": "ina3221"}
    for number, (label, millivolts, milliamperes) in enumerate(channels, 1):
        files[f"{folder}/in{number}_label"] = label
        files[f"{folder}/in{number}_input"] = str(millivolts)
        files[f"{folder}/curr{number}_input"] = str(milliamperes)
    return files | shunts(folder)


def shunts(folder: str) -> dict[str, str]:
    """Voltages over the shunts and their sum, with labels and currents that would make rails of them."""
    files = {f"{folder}/in7_label": "sum of shunt voltages"}
    for number in (4, 5, 6, 7):
        files |= {f"{folder}/in{number}_input": "6", f"{folder}/curr{number}_input": "1000"}
    return files | {f"{folder}/in{number}_label": f"SHUNT{number}" for number in (4, 5, 6)}


def old_chip(folder: str, *rails: tuple[str, int]) -> dict[str, str]:
    """JetPack 4: label and milliwatts."""
    files = {f"{folder}/name": "ina3221x"}
    for number, (label, milliwatts) in enumerate(rails):
        files |= {f"{folder}/rail_name_{number}": label, f"{folder}/in_power{number}_input": str(milliwatts)}
    return files


ORIN_NANO = (("VDD_IN", 5000, 1200), ("VDD_CPU_GPU_CV", 5000, 300), ("VDD_SOC", 5000, 250))
AGX_40 = (("VDD_GPU_SOC", 20000, 400), ("VDD_CPU_CV", 20000, 150), ("VIN_SYS_5V0", 5000, 900))
AGX_41 = (("NC", 0, 0), ("VDDQ_VDD2_1V8AO", 5000, 200), ("NC", 0, 0))


def found(root: Path) -> list[tuple[str, str, float | None]]:
    return told(meters(root))


def told(meters: Sequence[Meter]) -> list[tuple[str, str, float | None]]:
    return [(meter.sensor.name, meter.sensor.scope, meter.read()) for meter in meters]


class TestBoards:
    def test_orin_nano_has_one_input_and_its_parts(self, tmp_path: Path) -> None:
        plant(tmp_path, chip(f"{CLASS}/hwmon1", *ORIN_NANO))
        assert found(tmp_path) == [
            ("VDD_IN", "board", 6.0),
            ("VDD_CPU_GPU_CV", "part", 1.5),
            ("VDD_SOC", "part", 1.25),
        ]

    def test_what_the_input_does_not_cover_is_said(self, tmp_path: Path) -> None:
        plant(tmp_path, chip(f"{CLASS}/hwmon1", *ORIN_NANO))
        assert [meter.sensor.note for meter in meters(tmp_path)] == [MODULE_ONLY, None, None]

    def test_agx_orin_has_three_inputs_that_add_up(self, tmp_path: Path) -> None:
        plant(tmp_path, chip(f"{CLASS}/hwmon3", *AGX_40) | chip(f"{CLASS}/hwmon4", *AGX_41))
        assert found(tmp_path) == [
            ("VDD_GPU_SOC", "board", 8.0),
            ("VDD_CPU_CV", "board", 3.0),
            ("VIN_SYS_5V0", "board", 4.5),
            ("VDDQ_VDD2_1V8AO", "part", 1.0),
        ]

    def test_the_first_nano_with_jetpack_4(self, tmp_path: Path) -> None:
        rails = (("POM_5V_IN", 3480), ("POM_5V_GPU", 40), ("POM_5V_CPU", 690))
        plant(tmp_path, old_chip(f"{OLD_DRIVER}/6-0040/iio:device0", *rails))
        assert found(tmp_path) == [
            ("POM_5V_IN", "board", 3.48),
            ("POM_5V_GPU", "part", 0.04),
            ("POM_5V_CPU", "part", 0.69),
        ]

    def test_a_set_of_rails_that_is_not_known_has_no_total(self, tmp_path: Path) -> None:
        plant(tmp_path, chip(f"{CLASS}/hwmon0", ("GPU", 19000, 100), ("CPU", 19000, 50), ("SOC", 19000, 80)))
        assert found(tmp_path) == [("GPU", "part", 1.9), ("CPU", "part", 0.95), ("SOC", "part", 1.52)]
        assert {meter.sensor.note for meter in meters(tmp_path)} == {NOT_KNOWN}

    def test_two_of_the_three_inputs_are_not_the_board(self, tmp_path: Path) -> None:
        plant(tmp_path, chip(f"{CLASS}/hwmon0", *AGX_40[:2]))
        assert {scope for _, scope, _ in found(tmp_path)} == {"part"}


class TestPaths:
    def test_by_the_driver_alone(self, tmp_path: Path) -> None:
        plant(tmp_path, chip(f"{DRIVER}/1-0040/hwmon/hwmon1", *ORIN_NANO) | {f"{DRIVER}/uevent": ""})
        assert [name for name, _, _ in found(tmp_path)] == ["VDD_IN", "VDD_CPU_GPU_CV", "VDD_SOC"]

    def test_a_chip_that_is_found_two_ways_counts_once(self, tmp_path: Path) -> None:
        plant(tmp_path, chip(f"{DRIVER}/1-0040/hwmon/hwmon1", *ORIN_NANO))
        (tmp_path / CLASS).mkdir(parents=True)
        (tmp_path / CLASS / "hwmon1").symlink_to(tmp_path / f"{DRIVER}/1-0040/hwmon/hwmon1")
        assert len(found(tmp_path)) == 3

    def test_in_a_captured_tree_the_two_ways_are_copies(self, tmp_path: Path) -> None:
        copies = (chip(f"{folder}/hwmon1", *ORIN_NANO) for folder in (CLASS, f"{DRIVER}/1-0040/hwmon"))
        for copy in copies:
            plant(tmp_path, copy)
        assert len(found(tmp_path)) == 3

    def test_an_old_chip_that_is_found_two_ways_counts_once(self, tmp_path: Path) -> None:
        for folder in ("sys/bus/iio/devices", f"{OLD_DRIVER}/1-0040"):
            plant(tmp_path, old_chip(f"{folder}/iio:device0", ("VDD_IN", 4000), ("NC", 0)))
        assert found(tmp_path) == [("VDD_IN", "board", 4.0)]

    @pytest.mark.parametrize(
        "files",
        [
            chip(f"{CLASS}/hwmon1", *ORIN_NANO),
            chip(f"{DRIVER}/1-0040/hwmon/hwmon1", *ORIN_NANO),
            old_chip("sys/bus/iio/devices/iio:device0", ("VDD_IN", 4000)),
            old_chip(f"{OLD_DRIVER}/1-0040/iio:device0", ("VDD_IN", 4000)),
        ],
        ids=["class", "driver", "old class", "old driver"],
    )
    def test_a_capture_has_all_that_is_read(self, tmp_path: Path, files: dict[str, str]) -> None:
        original, copy = plant(tmp_path / "original", files), tmp_path / "copy"
        plant(copy, capture(original).files)
        assert found(copy) == found(original)

    def test_chips_of_other_names_are_left_alone(self, tmp_path: Path) -> None:
        plant(tmp_path, chip(f"{CLASS}/hwmon0", *ORIN_NANO) | {f"{CLASS}/hwmon0/name": "ina238"})
        with pytest.raises(UnreadableError, match=r"^ina3221: not offered here$"):
            meters(tmp_path)

    def test_other_devices_of_industrial_io_are_no_power_sensors(self, tmp_path: Path) -> None:
        plant(tmp_path, {"sys/bus/iio/devices/iio:device0/in_voltage0_raw": "812"})
        with pytest.raises(UnreadableError, match=r"^ina3221: not offered here$"):
            meters(tmp_path)


class TestReadings:
    def test_the_period_is_what_the_chip_says(self, tmp_path: Path) -> None:
        plant(tmp_path, chip(f"{CLASS}/hwmon0", *ORIN_NANO) | {f"{CLASS}/hwmon0/update_interval": "9"})
        assert {meter.sensor.period_s for meter in meters(tmp_path)} == {0.009}

    def test_or_not_known(self, tmp_path: Path) -> None:
        plant(tmp_path, chip(f"{CLASS}/hwmon0", *ORIN_NANO))
        assert {meter.sensor.period_s for meter in meters(tmp_path)} == {None}

    def test_every_reading_is_a_new_one(self, tmp_path: Path) -> None:
        plant(tmp_path, chip(f"{CLASS}/hwmon0", *ORIN_NANO))
        board = meters(tmp_path)[0]
        (tmp_path / CLASS / "hwmon0/curr1_input").write_text("2000\n")
        assert board.read() == 10.0
        (tmp_path / CLASS / "hwmon0/curr1_input").unlink()
        assert board.read() is None

    def test_a_rail_without_current_is_no_meter(self, tmp_path: Path) -> None:
        plant(tmp_path, chip(f"{CLASS}/hwmon0", *ORIN_NANO))
        (tmp_path / CLASS / "hwmon0/curr3_input").unlink()
        assert [name for name, _, _ in found(tmp_path)] == ["VDD_IN", "VDD_CPU_GPU_CV"]

    def test_no_board_takes_a_gigawatt(self, tmp_path: Path) -> None:
        plant(tmp_path, chip(f"{CLASS}/hwmon0", ("VDD_IN", 10**18, 10**18)))
        assert found(tmp_path) == [("VDD_IN", "board", None)]

    @settings(deadline=None)
    @given(label=st.text(max_size=40), value=st.text(max_size=30))
    def test_whatever_is_there_is_read_or_refused(
        self, tmp_path_factory: pytest.TempPathFactory, label: str, value: str
    ) -> None:
        root = plant(tmp_path_factory.mktemp("jetson"), chip(f"{CLASS}/hwmon0", *ORIN_NANO))
        (root / CLASS / "hwmon0/in2_label").write_bytes(label.encode("utf-8", "surrogatepass"))
        (root / CLASS / "hwmon0/in2_input").write_bytes(value.encode("utf-8", "surrogatepass"))
        names = [name for name, _, _ in found(root)]
        assert len(names) == len(set(names))
        assert all(name.isprintable() for name in names)
