"""Energy counters of x86 processors, from constructed trees."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from profiler.host.kernel_files import UnreadableError
from profiler.telemetry import rapl
from profiler.telemetry.protocol import Meter
from tests.host_trees import plant
from tests.rights import closed, open_folder

POWERCAP = "sys/class/powercap"
RANGE_UJ = 262_143_328_850


def zone(folder: str, name: str, energy_uj: int | str, range_uj: int | str = RANGE_UJ) -> dict[str, str]:
    at = f"{POWERCAP}/{folder}"
    return {
        f"{at}/name": f"{name}\n",
        f"{at}/energy_uj": f"{energy_uj}\n",
        f"{at}/max_energy_range_uj": f"{range_uj}\n",
    }


PACKAGE = zone("intel-rapl:0", "package-0", 240_422_366_267)
CORE = zone("intel-rapl:0:0", "core", 118_773_000_000, 65_532_610_987)
PSYS = zone("intel-rapl:1", "psys", 500_000_000)


def found(root: Path, *zones: dict[str, str]) -> dict[str, Meter]:
    files = {name: text for files in zones for name, text in files.items()}
    return {meter.sensor.id: meter for meter in rapl.meters(plant(root, files) if files else root)}


def reason(root: Path, *zones: dict[str, str]) -> str:
    with pytest.raises(UnreadableError) as refusal:
        found(root, *zones)
    return str(refusal.value)


def test_a_package_counts_joules_and_says_where_it_starts_again(tmp_path: Path) -> None:
    (meter,) = found(tmp_path, PACKAGE).values()
    assert meter.sensor.source == "rapl"
    assert (meter.sensor.scope, meter.sensor.quantity) == ("package", "energy")
    assert meter.sensor.wraps_at_j == 262_143.32885
    assert meter.read() == pytest.approx(240_422.366267, abs=1e-9)


def test_the_platform_its_packages_and_their_parts(tmp_path: Path) -> None:
    meters = found(tmp_path, PACKAGE, CORE, PSYS)
    assert {id: (meter.sensor.name, meter.sensor.scope) for id, meter in meters.items()} == {
        "rapl package-0": ("package-0", "package"),
        "rapl package-0 core": ("package-0 core", "part"),
        "rapl psys": ("platform energy (psys)", "board"),
    }
    assert meters["rapl package-0 core"].sensor.wraps_at_j == 65_532.610987


def test_two_packages_are_two_sensors_and_so_are_their_cores(tmp_path: Path) -> None:
    """AMD's counters have the same folders and names."""
    second = zone("intel-rapl:1", "package-1", 7_000_000) | zone("intel-rapl:1:0", "core", 3_000_000)
    meters = found(tmp_path, PACKAGE, CORE, second)
    assert [id for id, meter in meters.items() if meter.sensor.scope == "package"] == [
        "rapl package-0",
        "rapl package-1",
    ]
    assert meters["rapl package-1 core"].read() == 3.0


def test_the_platforms_of_two_sockets_add_up(tmp_path: Path) -> None:
    meters = found(tmp_path, PSYS, PACKAGE, zone("intel-rapl:3", "psys-1", 9_000_000))
    assert [(m.sensor.name, m.read()) for m in meters.values() if m.sensor.scope == "board"] == [
        ("platform energy (psys)", 500.0),
        ("platform energy (psys-1)", 9.0),
    ]


def test_dies_of_a_package_add_up(tmp_path: Path) -> None:
    dies = zone("intel-rapl:0", "package-0-die-0", 1) | zone("intel-rapl:1", "package-0-die-1", 1)
    assert [meter.sensor.scope for meter in found(tmp_path, dies).values()] == ["package", "package"]


def test_the_same_counter_by_two_ways_counts_once(tmp_path: Path) -> None:
    (meter,) = found(tmp_path, PACKAGE, zone("intel-rapl-mmio:0", "package-0", 9_000_000)).values()
    assert meter.read() == pytest.approx(240_422.366267)


def test_a_counter_that_is_only_mapped_into_memory_counts(tmp_path: Path) -> None:
    (meter,) = found(tmp_path, zone("intel-rapl-mmio:0", "package-0", 9_000_000)).values()
    assert meter.read() == 9.0


def test_a_counter_that_started_again_is_given_as_it_is(tmp_path: Path) -> None:
    """The analysis undoes the wrap: it sees the readings in order, the meter does not."""
    (meter,) = found(tmp_path, PACKAGE).values()
    plant(tmp_path, {f"{POWERCAP}/intel-rapl:0/energy_uj": "61000\n"})
    assert meter.read() == 0.061


@pytest.mark.parametrize("text", ["", "many\n", "-5\n", "9" * 40])
def test_a_reading_that_failed_is_none(tmp_path: Path, text: str) -> None:
    (meter,) = found(tmp_path, PACKAGE).values()
    plant(tmp_path, {f"{POWERCAP}/intel-rapl:0/energy_uj": text})
    assert meter.read() is None


@pytest.mark.parametrize("text", ["", "0", "-1", "much"])
def test_a_range_that_is_none_is_not_guessed(tmp_path: Path, text: str) -> None:
    (meter,) = found(tmp_path, zone("intel-rapl:0", "package-0", 5, text)).values()
    assert meter.sensor.wraps_at_j is None


@pytest.mark.skipif(sys.platform == "win32", reason="rights of POSIX")
def test_root_only_says_what_to_type() -> None:
    with open_folder() as root:
        plant(root, PACKAGE | CORE)
        (root / POWERCAP / "intel-rapl:0:0/energy_uj").chmod(0)
        with closed(root / POWERCAP / "intel-rapl:0/energy_uj"):
            assert reason(root) == (
                "sys/class/powercap/intel-rapl:0/energy_uj: needs more rights: only root may read the energy "
                "counters, since CVE-2020-8694: start edgeprof with sudo, or type: "
                "sudo chmod a+r /sys/class/powercap/*/energy_uj"
            )


@pytest.mark.skipif(sys.platform == "win32", reason="rights of POSIX")
def test_a_counter_that_is_closed_while_it_is_read_fails() -> None:
    with open_folder() as root:
        (meter,) = found(root, PACKAGE).values()
        with closed(root / POWERCAP / "intel-rapl:0/energy_uj"):
            assert meter.read() is None


def test_no_processor_is_left_out_of_a_sum(tmp_path: Path) -> None:
    """Of two packages one cannot be read: what the other gives is not that of the machine."""
    meters = found(tmp_path, PACKAGE, PSYS, zone("intel-rapl:2", "package-1", "garbage"))
    assert list(meters) == ["rapl psys"]


def test_a_counter_that_reads_nothing_is_no_meter(tmp_path: Path) -> None:
    assert list(found(tmp_path, PACKAGE, zone("intel-rapl:1", "psys", 0))) == ["rapl package-0"]


def test_nothing_but_nothing(tmp_path: Path) -> None:
    said = reason(tmp_path, zone("intel-rapl:0", "package-0", 0))
    assert said == "sys/class/powercap/intel-rapl:0/energy_uj: reads nothing"


def test_folder_in_place_of_the_counter(tmp_path: Path) -> None:
    (tmp_path / POWERCAP / "intel-rapl:0/energy_uj").mkdir(parents=True)
    plant(tmp_path, {f"{POWERCAP}/intel-rapl:0/name": "package-0\n"})
    assert reason(tmp_path) == "sys/class/powercap/intel-rapl:0/energy_uj: Is a directory"


def test_machine_without_counters(tmp_path: Path) -> None:
    assert reason(tmp_path) == "RAPL domains: not offered here"


def test_hostile_name_is_a_part_without_control_characters(tmp_path: Path) -> None:
    (meter,) = found(tmp_path, zone("intel-rapl:0", "package-0\x1b[2J" + "x" * 500, 5)).values()
    assert meter.sensor.scope == "part"
    assert meter.sensor.name.isprintable()
    assert len(meter.sensor.name) == 120
