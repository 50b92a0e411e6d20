"""The look before measuring: what four constructed machines are told, word for word where it counts."""

from __future__ import annotations

import getpass
import importlib.metadata
import importlib.util
import platform
import re
import shutil
import socket
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from profiler.host import capabilities, disturbances, installed
from profiler.host.counters import BusyNow
from profiler.host.environment import Environment
from profiler.host.finding import Finding
from profiler.host.preflight import findings
from tests.host_trees import SECRETS, cloud_vm, laptop, limited_container, plant, raspberry_pi_5

QUIET = BusyNow(foreign_share=0.01)
BUSY = BusyNow(foreign_share=0.43, busiest=(("secret-program", 0.8), ("other", 0.05)))

Machine = Callable[[Path], Path]
MACHINES = (cloud_vm, raspberry_pi_5, laptop, limited_container)


@pytest.fixture(autouse=True)
def no_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    """Linux, no program on the path, room on the disk, whatever machine runs the tests."""
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=79 * 2**30))


def by_code(root: Path, busy: BusyNow = QUIET) -> dict[str, Finding]:
    found = findings(root, busy=busy)
    assert len({finding.code for finding in found}) == len(found)
    return {finding.code: finding for finding in found}


def with_status(found: dict[str, Finding], status: str, subject: str) -> set[str]:
    return {code for code, finding in found.items() if finding.status == status and code.startswith(subject)}


def test_a_cloud_vm_measures_memory_and_cpu_and_nothing_else(tmp_path: Path) -> None:
    found = by_code(cloud_vm(tmp_path))
    assert with_status(found, "ok", "measure") == {
        "measure.memory",
        "measure.peak_memory",
        "measure.other_cpu",
    }
    assert with_status(found, "missing", "measure") == {
        "measure.clock",
        "measure.temperature",
        "measure.energy",
        "measure.instructions",
        "measure.host",
    }
    assert with_status(found, "warn", "disturb") == set()
    assert found["measure.clock"].seen == "the kernel does not tell the clock (no cpufreq)"
    assert found["measure.host"].seen == "virtual machine (kvm)"
    assert found["measure.energy"].advice == "Let a wall or USB meter write a log: --power-log."


def test_a_raspberry_pi_5_is_told_of_its_firmware_governor_and_zram(tmp_path: Path) -> None:
    found = by_code(raspberry_pi_5(tmp_path))
    assert found["measure.clock"] == Finding(
        code="measure.clock",
        status="ok",
        seen="1500 MHz now, at most 2400",
        why="the firmware owns the clock of a Raspberry Pi: this can be a wish",
        advice="vcgencmd measure_clock arm",
    )
    assert found["measure.temperature"].seen == "the hottest zone is cpu-thermal at 50 degC"
    assert found["measure.instructions"].status == "ok"
    assert found["disturb.governor"].advice == (
        "echo performance | sudo tee /sys/devices/system/cpu/cpufreq/policy*/scaling_governor"
    )
    assert found["note.zram"].seen == "0.5 GiB of compressed swap in memory (zram)"
    assert found["disturb.swap"].status == "ok"
    assert "disturb.clock_limit" not in found


def test_a_raspberry_pi_5_measures_energy_once_vcgencmd_is_there(tmp_path: Path) -> None:
    root = raspberry_pi_5(tmp_path)
    assert by_code(root)["measure.energy"].advice == "Install vcgencmd."
    plant(root, {"outputs/vcgencmd-pmic_read_adc.txt": "VDD_CORE_A current(7)=8.0A\n"})
    energy = by_code(root)["measure.energy"]
    assert (energy.status, energy.seen) == ("ok", "rails of the Raspberry Pi 5 (not USB, not HATs)")


def test_a_laptop_on_battery_has_six_things_to_put_right(tmp_path: Path) -> None:
    found = by_code(laptop(tmp_path), BUSY)
    assert with_status(found, "warn", "disturb") == {
        "disturb.processes",
        "disturb.governor",
        "disturb.clock_limit",
        "disturb.power",
        "disturb.memory",
        "disturb.swap",
    }
    assert found["disturb.processes"].seen == "others use 43% of the CPU"
    assert found["disturb.clock_limit"].seen == "clock capped at 2800 of 4700 MHz"
    assert found["disturb.power"].seen == "on battery (41%)"
    assert found["disturb.memory"].seen == "0.9 GiB of memory free"
    assert found["disturb.swap"].seen == "1.0 GiB of swap in use"


def test_a_laptop_measures_energy_by_its_battery_and_could_by_rapl(tmp_path: Path) -> None:
    root = laptop(tmp_path)
    (root / "sys/class/powercap/intel-rapl:0/energy_uj").mkdir()
    energy = by_code(root)["measure.energy"]
    assert (energy.status, energy.seen) == ("ok", "battery")
    assert energy.why == "RAPL is there, but only root may read it"
    assert energy.advice == "sudo chmod a+r /sys/class/powercap/intel-rapl:*/energy_uj"


def test_readable_rapl_is_named_by_its_packages_not_their_parts(tmp_path: Path) -> None:
    root = laptop(tmp_path)
    powercap = root / "sys/class/powercap"
    (powercap / "intel-rapl:0:0").mkdir()
    (powercap / "intel-rapl:0:0/name").write_text("core\n")
    for zone in ("intel-rapl:0", "intel-rapl:0:0"):
        (powercap / zone / "energy_uj").write_text("240422366267\n")
    assert by_code(root)["measure.energy"].seen == "RAPL (package-0), battery"


def test_a_battery_that_charges_is_no_energy_sensor(tmp_path: Path) -> None:
    root = laptop(tmp_path)
    (root / "sys/class/power_supply/BAT0/status").write_text("Charging\n")
    (root / "sys/class/powercap/intel-rapl:0/energy_uj").write_text("1\n")
    assert by_code(root)["measure.energy"].seen == "RAPL (package-0)"
    assert by_code(root)["disturb.power"].status == "ok"


def test_hwmon_numbers_move_so_chips_are_known_by_name(tmp_path: Path) -> None:
    root = cloud_vm(tmp_path)
    for number, name in ((0, "tcpm_source_psy_4_0022"), (7, "ina3221")):
        (root / f"sys/class/hwmon/hwmon{number}").mkdir(parents=True)
        (root / f"sys/class/hwmon/hwmon{number}/name").write_text(name + "\n")
    assert by_code(root)["measure.energy"].seen == "board rails (INA3221)"


def test_an_nvidia_driver_needs_its_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = cloud_vm(tmp_path)
    (root / "proc/driver/nvidia").mkdir(parents=True)
    (root / "proc/driver/nvidia/version").write_text("NVRM version: 570\n")
    monkeypatch.setattr(capabilities, "find_spec", lambda name: None)
    assert by_code(root)["measure.energy"].advice == "pip install 'edgeprof[nvidia]'"
    monkeypatch.setattr(capabilities, "find_spec", lambda name: object())
    assert by_code(root)["measure.energy"].seen == "NVIDIA GPU (NVML)"


def test_hardware_counters_closed_to_users_come_with_the_command(tmp_path: Path) -> None:
    instructions = by_code(laptop(tmp_path))["measure.instructions"]
    assert instructions.seen == "only root may count (perf_event_paranoid is 4)"
    assert instructions.advice == "sudo sysctl kernel.perf_event_paranoid=2"


def test_a_container_is_told_how_many_threads_its_quota_carries(tmp_path: Path) -> None:
    found = by_code(limited_container(tmp_path))
    assert found["disturb.cpu_quota"].seen == "limited to 1.5 of 8 CPUs"
    assert found["disturb.cpu_quota"].advice == "edgeprof run --threads 1"
    assert found["note.memory_limit"].seen == "this container may use 2.0 GiB"


def test_an_empty_tree_can_measure_nothing_and_says_so(tmp_path: Path) -> None:
    found = by_code(tmp_path, BusyNow(foreign_share=None))
    assert with_status(found, "ok", "measure") == set()
    assert found["disturb.processes"].status == "missing"


def test_a_full_disk_is_a_warning_that_names_no_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=2**28))
    assert by_code(cloud_vm(tmp_path))["disturb.disk"].seen == "0.2 GiB free in the data folder"


@pytest.mark.parametrize(("share", "status"), [(0.059, "ok"), (0.06, "warn")])
def test_others_are_too_busy_from_six_percent_on(tmp_path: Path, share: float, status: str) -> None:
    assert by_code(cloud_vm(tmp_path), BusyNow(foreign_share=share))["disturb.processes"].status == status


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
@pytest.mark.parametrize(
    ("limit", "seen"), [(8 * 2**20, "at most 8 MiB may be locked in memory"), (-1, None)]
)
def test_the_locked_memory_limit_is_told_where_there_is_one(
    monkeypatch: pytest.MonkeyPatch, limit: int, seen: str | None
) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda which: (limit, limit))
    noted = {finding.code: finding.seen for finding in disturbances.notes(Environment())}
    assert noted.get("note.memlock") == seen


def engines(
    monkeypatch: pytest.MonkeyPatch, modules: Iterable[str], versions: dict[str, str]
) -> dict[str, Finding]:
    def version(name: str) -> str:
        if name not in versions:
            raise importlib.metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(installed, "find_spec", lambda name: object() if name in modules else None)
    monkeypatch.setattr(installed, "version", version)
    return {finding.code: finding for finding in installed.engines()}


def test_an_installed_engine_shows_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    found = engines(monkeypatch, {"llama_cpp"}, {"llama-cpp-python": "0.3.36"})
    assert found["engine.llama-cpp"].seen == "llama-cpp-python 0.3.36"
    assert "engine.build_tools" not in found


def test_an_engine_installed_by_hand_has_no_known_version(monkeypatch: pytest.MonkeyPatch) -> None:
    found = engines(monkeypatch, {"llama_cpp"}, {})
    assert found["engine.llama-cpp"].seen == "installed, version not known"


@pytest.mark.parametrize(
    ("programs", "status", "seen", "advice"),
    [
        ({"c++", "cmake"}, "ok", "c++ and cmake", None),
        ({"g++", "apt-get"}, "missing", "no CMake", "sudo apt-get install build-essential cmake"),
        (set(), "missing", "no C++ compiler and CMake", "Install a C++ compiler and CMake."),
    ],
)
def test_a_missing_llama_cpp_asks_for_a_compiler(
    monkeypatch: pytest.MonkeyPatch, programs: set[str], status: str, seen: str, advice: str | None
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: name if name in programs else None)
    found = engines(monkeypatch, set(), {})
    assert found["engine.llama-cpp"].advice == "pip install 'edgeprof[gguf]'"
    tools = found["engine.build_tools"]
    assert (tools.status, tools.seen, tools.advice) == (status, seen, advice)


def test_looking_for_engines_imports_none() -> None:
    before = set(sys.modules)
    installed.engines()
    assert not {"llama_cpp", "onnxruntime", "onnxruntime_genai"} & (set(sys.modules) - before)


@pytest.mark.parametrize("machine", MACHINES)
def test_findings_name_no_process_no_secret_and_no_folder_of_this_machine(
    machine: Machine, tmp_path: Path
) -> None:
    text = msgspec.json.encode(findings(machine(tmp_path), busy=BUSY)).decode()
    assert "secret-program" not in text
    assert [secret for secret in SECRETS if secret in text] == []
    assert str(tmp_path) not in text
    assert str(Path.home()) + "/" not in text


@pytest.mark.parametrize("machine", MACHINES)
def test_what_is_wrong_says_why_and_advice_is_short_or_a_command(machine: Machine, tmp_path: Path) -> None:
    for finding in findings(machine(tmp_path), busy=BUSY):
        if finding.status == "warn":
            assert finding.why, finding.code
            assert finding.advice, finding.code
        if finding.advice and finding.advice.endswith("."):
            assert len(finding.advice) <= 52, finding.code
        assert len(finding.seen) <= 80, finding.code


def test_this_very_machine_gets_a_report_that_names_neither_host_nor_user(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.undo()
    found = findings()
    assert {"measure.memory", "measure.energy", "note.telemetry", "engine.llama-cpp"} <= {
        f.code for f in found
    }
    text = " ".join(finding.seen for finding in found)
    assert not re.search(rf"\b{re.escape(socket.gethostname())}\b", text)
    assert not re.search(rf"\b{re.escape(getpass.getuser())}\b", text)
