"""The power that batteries give, from constructed trees."""

from __future__ import annotations

from pathlib import Path

import pytest

from profiler.host.kernel_files import UnreadableError
from profiler.telemetry import battery
from profiler.telemetry.protocol import Meter
from tests.host_trees import plant

SUPPLIES = "sys/class/power_supply"


def supply(name: str, kind: str, **files: int | str) -> dict[str, str]:
    said = {"type": kind} | files
    return {f"{SUPPLIES}/{name}/{file}": f"{text}\n" for file, text in said.items()}


def cell(name: str = "BAT0", status: str = "Discharging", **files: int | str) -> dict[str, str]:
    return supply(name, "Battery", status=status, **files)


def found(root: Path, *supplies: dict[str, str]) -> list[Meter]:
    files = {name: text for files in supplies for name, text in files.items()}
    return list(battery.meters(plant(root, files)))


def reason(root: Path, *supplies: dict[str, str]) -> str:
    with pytest.raises(UnreadableError) as refusal:
        found(root, *supplies)
    return str(refusal.value)


def test_a_discharging_battery_gives_the_power_of_the_device(tmp_path: Path) -> None:
    (meter,) = found(tmp_path, cell(power_now=4_830_000), supply("AC", "Mains", online=0))
    sensor = meter.sensor
    assert (sensor.id, sensor.scope, sensor.quantity) == ("battery BAT0", "device", "power")
    assert meter.read() == 4.83


@pytest.mark.parametrize("current", [1_500_000, -1_500_000])
def test_current_times_voltage_where_no_power_is_told(tmp_path: Path, current: int) -> None:
    """1.5 A at 12 V, whichever sign a current that flows out has here."""
    (meter,) = found(tmp_path, cell(current_now=current, voltage_now=12_000_000))
    assert meter.read() == pytest.approx(18.0)


@pytest.mark.parametrize("status", ["Charging", "Full", "Not charging", "Unknown", ""])
def test_a_battery_on_mains_is_no_meter(tmp_path: Path, status: str) -> None:
    said = reason(tmp_path, cell(status=status, power_now=20_000_000))
    assert said == "on mains: the battery gives no power"


def test_what_is_measured_ends_when_the_charger_comes(tmp_path: Path) -> None:
    (meter,) = found(tmp_path, cell(power_now=4_830_000))
    plant(tmp_path, cell(status="Charging"))
    assert meter.read() is None
    plant(tmp_path, cell(status="Discharging"))
    assert meter.read() == 4.83


def test_a_weak_charger_beside_the_battery(tmp_path: Path) -> None:
    said = reason(tmp_path, cell(power_now=4_830_000), supply("ucsi-1", "USB", online=1))
    assert said == "a charger is connected: the battery gives a part of the power only"


def test_two_batteries_one_of_which_rests(tmp_path: Path) -> None:
    first = cell("BAT0", "Discharging", power_now=6_000_000)
    second = cell("BAT1", "Not charging", power_now=0)
    meters = found(tmp_path, first, second)
    assert [meter.sensor.id for meter in meters] == ["battery BAT0", "battery BAT1"]
    assert [meter.read() for meter in meters] == [6.0, 0.0]


def test_one_of_two_batteries_that_is_charged_takes_what_the_other_gives(tmp_path: Path) -> None:
    first = cell("BAT0", "Discharging", power_now=6_000_000)
    assert reason(tmp_path, first, cell("BAT1", "Charging", power_now=5_000_000)) == battery.ON_MAINS


def test_the_battery_of_a_mouse_is_not_of_this_machine(tmp_path: Path) -> None:
    mouse = cell("hidpp_battery_0", scope="Device", power_now=100_000)
    assert reason(tmp_path, mouse) == "battery: not offered here"


def test_a_battery_that_reads_nothing(tmp_path: Path) -> None:
    assert reason(tmp_path, cell(power_now=0)) == "sys/class/power_supply/BAT0: reads nothing"


def test_a_battery_that_tells_no_power(tmp_path: Path) -> None:
    said = reason(tmp_path, cell(capacity=50))
    assert said == "sys/class/power_supply/BAT0/current_now: not offered here"


@pytest.mark.parametrize("text", ["", "much\n", "1e9\n"])
def test_a_reading_that_failed_is_none(tmp_path: Path, text: str) -> None:
    (meter,) = found(tmp_path, cell(power_now=4_830_000))
    plant(tmp_path, {f"{SUPPLIES}/BAT0/power_now": text})
    assert meter.read() is None
