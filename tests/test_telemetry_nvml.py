"""NVIDIA's library, played by a module with the functions and the errors of nvidia-ml-py."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from profiler.host.kernel_files import UnreadableError
from profiler.telemetry import nvml
from profiler.telemetry.protocol import TOPICS, Meter, Value
from tests.host_trees import plant

VERSION = {"proc/driver/nvidia/version": "NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.86.15\n"}
NOT_SUPPORTED, LIBRARY_NOT_FOUND, FUNCTION_NOT_FOUND, GPU_IS_LOST = 3, 12, 13, 15
TEXTS = {
    NOT_SUPPORTED: "Not Supported",
    LIBRARY_NOT_FOUND: "NVML Shared Library Not Found",
    FUNCTION_NOT_FOUND: "Function Not Found",
    GPU_IS_LOST: "GPU is lost",
}


class NVMLError(Exception):
    """As the real one: made with a code, it becomes the class of that code."""

    value: int

    def __new__(cls, value: int) -> NVMLError:
        kind = NVMLError_FunctionNotFound if value == FUNCTION_NOT_FOUND else cls
        made = Exception.__new__(kind)
        made.value = value
        return made

    def __str__(self) -> str:
        return TEXTS[self.value]


class NVMLError_FunctionNotFound(NVMLError):  # noqa: N801
    """The driver is older than the question."""


class Gpu:
    """What one GPU answers by question: a value, a function of nothing, or the code of a refusal."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers


def refuse(code: int) -> Callable[[], Any]:
    def answer() -> Any:
        raise NVMLError(code)

    return answer


H100: dict[str, Any] = {
    "Name": "NVIDIA H100 80GB HBM3",
    "TotalEnergyConsumption": 1_234_567,
    "PowerUsage": 68_250,
    "ClockInfo": 1980,
    "Clock": 1755,
    "UtilizationRates": SimpleNamespace(gpu=37, memory=5),
    "Temperature": 41,
    "CurrentClocksEventReasons": 0x4,
    "EnforcedPowerLimit": 700_000,
}
QUESTIONS = (*H100, "CurrentClocksThrottleReasons")


class Pynvml(ModuleType):
    """The module `pynvml` for these GPUs."""

    def __init__(self, *gpus: Gpu, start: Callable[[], None] = lambda: None) -> None:
        super().__init__("pynvml")
        self.NVMLError, self.NVMLError_FunctionNotFound = NVMLError, NVMLError_FunctionNotFound
        self.NVML_CLOCK_GRAPHICS, self.NVML_CLOCK_ID_APP_CLOCK_TARGET = 0, 1
        self.NVML_TEMPERATURE_GPU = 0
        self.nvmlInit = start
        self.nvmlDeviceGetCount = lambda: len(gpus)
        self.nvmlDeviceGetHandleByIndex = lambda number: gpus[number]
        for question in QUESTIONS:
            setattr(self, f"nvmlDeviceGet{question}", self._asker(question))

    @staticmethod
    def _asker(question: str) -> Callable[..., Any]:
        def ask(gpu: Gpu, *_: int) -> Any:
            answer = gpu.answers.get(question, refuse(NOT_SUPPORTED))
            return answer() if callable(answer) else answer

        return ask


class Machine:
    """A machine with a driver, and what is installed and found there."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self._patch = root, monkeypatch
        monkeypatch.setattr(nvml, "HERE", root)
        monkeypatch.setattr(shutil, "which", lambda _: None)
        monkeypatch.setitem(sys.modules, "pynvml", None)

    def with_gpus(self, *gpus: Gpu, **how: Any) -> Machine:
        plant(self.root, VERSION)
        self._patch.setitem(sys.modules, "pynvml", Pynvml(*gpus, **how))
        return self

    def meters(self) -> list[Meter]:
        return list(nvml.meters(self.root))

    def said(self, topic: str) -> dict[str, Value]:
        return dict(nvml.STATE[topic](self.root))

    def reason(self) -> str:
        with pytest.raises(UnreadableError) as refusal:
            self.meters()
        return str(refusal.value)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


def test_a_counter_of_energy_is_read_in_joules(machine: Machine) -> None:
    (meter,) = machine.with_gpus(Gpu(**H100)).meters()
    sensor = meter.sensor
    assert (sensor.id, sensor.name) == ("nvml gpu 0", "NVIDIA H100 80GB HBM3")
    assert (sensor.scope, sensor.quantity) == ("gpu", "energy")
    assert meter.read() == 1234.567


@pytest.mark.parametrize("code", [NOT_SUPPORTED, FUNCTION_NOT_FOUND])
def test_power_where_energy_is_not_told(machine: Machine, code: int) -> None:
    old = Gpu(**H100 | {"TotalEnergyConsumption": refuse(code), "Name": b"Quadro \xff"})
    (meter,) = machine.with_gpus(old).meters()
    assert (meter.sensor.quantity, meter.sensor.name) == ("power", "Quadro \ufffd")
    assert meter.read() == 68.25


def test_the_board_as_every_gpu_tells_it(machine: Machine) -> None:
    machine.with_gpus(Gpu(**H100), Gpu(**H100 | {"ClockInfo": 345, "CurrentClocksEventReasons": 0x1}))
    assert set(nvml.STATE) <= set(TOPICS)
    assert {topic: machine.said(topic) for topic in nvml.STATE} == {
        "gpu_clock": {"gpu 0": 1_980_000_000, "gpu 1": 345_000_000},
        "gpu_clock_asked": {"gpu 0": 1_755_000_000, "gpu 1": 1_755_000_000},
        "gpu_load": {"gpu 0": 0.37, "gpu 1": 0.37},
        "temperature": {"gpu 0": 41.0, "gpu 1": 41.0},
        "throttled_now": {"gpu 0": "power cap", "gpu 1": "no"},
        "power_mode": {"gpu 0": "at most 700 W", "gpu 1": "at most 700 W"},
    }


@pytest.mark.parametrize(
    ("bits", "words"),
    [
        (0x0, "no"),
        (0x1 | 0x2 | 0x100, "no"),
        (0x4 | 0x20, "power cap, thermal"),
        (0x8 | 0x40, "hardware slowdown, thermal (hardware)"),
        (0x80, "power brake"),
        (2**63, "no"),
    ],
)
def test_what_holds_the_clock_back(machine: Machine, bits: int, words: str) -> None:
    machine.with_gpus(Gpu(CurrentClocksEventReasons=bits))
    assert machine.said("throttled_now") == {"gpu 0": words}


def test_a_driver_that_knows_the_question_by_its_older_name(machine: Machine) -> None:
    old = {"CurrentClocksEventReasons": refuse(FUNCTION_NOT_FOUND), "CurrentClocksThrottleReasons": 0x20}
    machine.with_gpus(Gpu(**old))
    assert machine.said("throttled_now") == {"gpu 0": "thermal"}


def test_jetson_orin_says_not_supported_and_neither_wins_nor_fails(machine: Machine) -> None:
    orin = Gpu(Name="Orin (nvgpu)", ClockInfo=624)
    machine.with_gpus(orin)
    assert machine.said("gpu_clock") == {"gpu 0": 624_000_000}
    with pytest.raises(UnreadableError, match="NVML: gpu 0: Not Supported"):
        machine.said("gpu_load")
    assert machine.reason() == "gpu 0: power: Not Supported"


def test_a_gpu_that_does_not_tell_hides_no_other(machine: Machine) -> None:
    (meter,) = machine.with_gpus(Gpu(Name="mute"), Gpu(**H100)).meters()
    assert meter.sensor.id == "nvml gpu 1"


def test_a_gpu_that_is_lost_gives_no_reading(machine: Machine) -> None:
    lost = Gpu(**H100)
    (meter,) = machine.with_gpus(lost).meters()
    lost.answers["TotalEnergyConsumption"] = refuse(GPU_IS_LOST)
    assert meter.read() is None


def test_package_that_is_not_installed(machine: Machine) -> None:
    assert machine.reason() == "NVIDIA driver: not offered here"
    plant(machine.root, VERSION)
    assert machine.reason() == "nvidia-ml-py is not installed: pip install 'edgeprof[nvidia]'"


def test_windows_shows_its_driver_by_the_program_that_comes_with_it(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", {"nvidia-smi": "nvidia-smi.exe"}.get)
    assert machine.reason() == "nvidia-ml-py is not installed: pip install 'edgeprof[nvidia]'"


def test_an_older_distribution_of_the_library_lacks_questions(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pynvml 8 and 11 are other packages of the same name."""
    machine.with_gpus(Gpu(**H100 | {"CurrentClocksThrottleReasons": 0x20}))
    library = sys.modules["pynvml"]
    for question in ("TotalEnergyConsumption", "CurrentClocksEventReasons", "Clock"):
        monkeypatch.delattr(library, f"nvmlDeviceGet{question}")
    (meter,) = machine.meters()
    assert (meter.sensor.quantity, meter.read()) == ("power", 68.25)
    assert machine.said("throttled_now") == {"gpu 0": "thermal"}
    with pytest.raises(UnreadableError, match=r"NVML: gpu 0: .* no attribute 'nvmlDeviceGetClock'"):
        machine.said("gpu_clock_asked")


def test_package_without_a_driver(machine: Machine) -> None:
    machine.with_gpus(start=refuse(LIBRARY_NOT_FOUND))
    assert machine.reason() == "NVIDIA driver: NVML Shared Library Not Found"


def test_driver_without_a_gpu(machine: Machine) -> None:
    assert machine.with_gpus().reason() == "the NVIDIA driver names no GPU"


def test_a_gpu_that_sleeps_is_not_woken(machine: Machine) -> None:
    machine.with_gpus(Gpu(**H100))
    state = "sys/bus/pci/drivers/nvidia/0000:01:00.0/power/runtime_status"
    plant(machine.root, {state: "suspended\n"})
    assert machine.reason() == "the NVIDIA GPU sleeps, and reading it would wake it"
    plant(machine.root, {state: "active\n"})
    assert len(machine.meters()) == 1


def test_another_machines_tree_is_not_told_of_by_this_ones_library(machine: Machine, tmp_path: Path) -> None:
    machine.with_gpus(Gpu(**H100))
    captured = plant(tmp_path / "captured", VERSION)
    with pytest.raises(UnreadableError, match="the machine that it runs on only"):
        nvml.meters(captured)


def test_nor_is_a_machine_without_its_driver(machine: Machine, tmp_path: Path) -> None:
    machine.with_gpus(Gpu(**H100))
    with pytest.raises(UnreadableError, match=r"^NVIDIA driver: not offered here$"):
        nvml.meters(tmp_path / "captured")
