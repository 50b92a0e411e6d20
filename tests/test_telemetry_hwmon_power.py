"""Power and energy of hwmon chips, from constructed trees."""

from __future__ import annotations

from pathlib import Path

import pytest

from profiler.host.kernel_files import UnreadableError
from profiler.telemetry import hwmon_power
from profiler.telemetry.protocol import Meter
from tests.host_trees import plant


def chip(number: int, name: str, **files: int | str) -> dict[str, str]:
    folder = f"sys/class/hwmon/hwmon{number}"
    return {f"{folder}/name": f"{name}\n"} | {f"{folder}/{file}": f"{text}\n" for file, text in files.items()}


def found(root: Path, *chips: dict[str, str]) -> list[Meter]:
    files = {name: text for files in chips for name, text in files.items()}
    return list(hwmon_power.meters(plant(root, files)))


def reason(root: Path, *chips: dict[str, str]) -> str:
    with pytest.raises(UnreadableError) as refusal:
        found(root, *chips)
    return str(refusal.value)


def test_a_graphics_card_tells_watts(tmp_path: Path) -> None:
    (meter,) = found(tmp_path, chip(4, "amdgpu", power1_average=35_250_000, power1_label="PPT"))
    sensor = meter.sensor
    assert (sensor.source, sensor.name) == ("hwmon amdgpu", "amdgpu PPT")
    assert (sensor.scope, sensor.quantity) == ("gpu", "power")
    assert sensor.note == "where CPU and GPU share a chip, it covers both"
    assert meter.read() == 35.25


def test_a_gpu_with_the_voltage_of_a_northbridge_is_a_processor(tmp_path: Path) -> None:
    apu = chip(4, "amdgpu", power1_input=9_000_000, in1_label="vddnb", in1_input=800)
    (meter,) = found(tmp_path, apu)
    assert (meter.sensor.scope, meter.sensor.note) == (
        "package",
        "CPU and GPU share this chip: it covers both",
    )


def test_the_average_of_a_sensor_is_read_and_not_its_value_of_the_moment_too(tmp_path: Path) -> None:
    (meter,) = found(tmp_path, chip(0, "amdgpu", power1_input=50_000_000, power1_average=40_000_000))
    assert meter.read() == 40.0


@pytest.mark.parametrize(
    ("name", "label", "scope"),
    [
        ("amd_energy", "Esocket0", "package"),
        ("amd_energy", "Ecore007", "part"),
        ("xe", "card", "gpu"),
        ("xe", "pkg", "part"),
        ("i915", "", "gpu"),
        ("scmi_sensors", "big core", "part"),
        ("ina226", "", "part"),
    ],
)
def test_what_a_counter_of_joules_covers(tmp_path: Path, name: str, label: str, scope: str) -> None:
    (meter,) = found(tmp_path, chip(1, name, energy1_input=2_500_000, energy1_label=label))
    assert (meter.sensor.scope, meter.sensor.quantity) == (scope, "energy")
    assert meter.read() == 2.5


def test_two_chips_of_a_kind_are_two_sensors_of_one_source(tmp_path: Path) -> None:
    one, two = found(tmp_path, *(chip(n, "amdgpu", power1_average=n * 1_000_000) for n in (2, 10)))
    assert one.sensor.source == two.sensor.source
    assert (one.sensor.id, two.sensor.id) == ("hwmon2 power1", "hwmon10 power1")


def test_how_often_a_chip_has_something_new(tmp_path: Path) -> None:
    slow = chip(0, "power_meter", power1_average=90_000_000, power1_average_interval=1000)
    quick = chip(1, "ina226", power1_input=90_000_000, update_interval=35)
    mute = chip(2, "zenpower", power1_input=90_000_000, power1_label="SVI2_P_Core")
    periods = [meter.sensor.period_s for meter in found(tmp_path, slow, quick, mute)]
    assert periods == [1.0, 0.035, None]


def test_a_port_without_a_source_is_no_meter(tmp_path: Path) -> None:
    phantom = chip(0, "tcpm_source_psy_4_0022", in0_input=0, curr1_input=0, power1_input=0)
    assert reason(tmp_path, phantom) == "chips that tell power: not offered here"


def test_a_port_is_no_meter_even_when_it_reads_something(tmp_path: Path) -> None:
    phantom = chip(0, "tcpm_source_psy_4_0022", power1_input=15_000_000)
    assert reason(tmp_path, phantom) == "chips that tell power: not offered here"


def test_a_battery_among_the_chips_is_left_to_the_batteries(tmp_path: Path) -> None:
    battery = {"sys/class/power_supply/macsmc-battery/type": "Battery\n"}
    twin = chip(0, "macsmc_battery", power1_input=12_000_000)
    assert reason(tmp_path, battery, twin) == "chips that tell power: not offered here"


def test_the_ina3221_is_left_to_its_own_file(tmp_path: Path) -> None:
    assert "not offered here" in reason(tmp_path, chip(0, "ina3221", power1_input=5_000_000))


def test_a_sensor_that_reads_nothing_is_no_meter(tmp_path: Path) -> None:
    said = reason(tmp_path, chip(3, "amdgpu", power1_average=0))
    assert said == "sys/class/hwmon/hwmon3/power1_average (amdgpu): reads nothing"


def test_a_chip_that_cannot_be_read_does_not_hide_another(tmp_path: Path) -> None:
    broken = chip(0, "amdgpu", power1_average="busy")
    (meter,) = found(tmp_path, broken, chip(1, "nouveau", power1_input=7_000_000))
    assert meter.sensor.source == "hwmon nouveau"


@pytest.mark.parametrize("text", ["", "-7000000\n", "seven\n", "9" * 30])
def test_a_reading_that_failed_is_none(tmp_path: Path, text: str) -> None:
    (meter,) = found(tmp_path, chip(1, "nouveau", power1_input=7_000_000))
    plant(tmp_path, {"sys/class/hwmon/hwmon1/power1_input": text})
    assert meter.read() is None


def test_hostile_names(tmp_path: Path) -> None:
    odd = chip(0, "evil\x1b]0;x\x07", power1_input=1, power1_label="\x1b[31m" + "y" * 400)
    odd |= {"sys/class/hwmon/hwmon0/power1_input_evil\n_input": "1\n"}
    (meter,) = found(tmp_path, odd)
    assert (meter.sensor.name + meter.sensor.source + meter.sensor.id).isprintable()
    assert meter.sensor.scope == "part"


def test_machine_without_chips(tmp_path: Path) -> None:
    assert reason(tmp_path) == "chips that tell power: not offered here"
