"""NVIDIA GPUs through their management library: clock, temperature, throttling, power and energy.

On Jetson boards the library answers "Not Supported" to most questions; the kernel's own files tell more there. An older
distribution of the same name, pynvml, lacks some questions: they are not answered then.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from profiler.host.kernel_files import HERE, UnreadableError, entries, word_or_none
from profiler.runfile import Sensor
from profiler.telemetry.protocol import Meter, Reader, Readings, Value

DRIVER = "proc/driver/nvidia/version"
NO_DRIVER = "NVIDIA driver: not offered here"
ASLEEP = "sys/bus/pci/drivers/nvidia"
MOST_GPUS = 64
THOUSANDTHS = 1000

REASONS: Mapping[int, str] = {
    0x04: "power cap",
    0x08: "hardware slowdown",
    0x10: "held by another GPU",
    0x20: "thermal",
    0x40: "thermal (hardware)",
    0x80: "power brake",
}
"""What holds a clock back (NVML API reference, clock event reasons). A GPU that has nothing to do (0x01), or whose
clock somebody has set (0x02, 0x100), is not throttled."""


def meters(root: Path) -> Sequence[Meter]:
    """One for each GPU that tells its energy or its power. Raises `UnreadableError` where none does."""
    library = _library(root)
    found: list[Meter] = []
    reasons = []
    for part, gpu in _gpus(library).items():
        try:
            found.append(_meter(library, part, gpu))
        except (library.NVMLError, AttributeError) as error:
            reasons.append(f"{part}: power: {error}")
    if not found:
        raise UnreadableError("; ".join(reasons))
    return found


class GpuMeter:
    """One GPU's counter of energy in millijoules, or its power in milliwatts."""

    def __init__(self, sensor: Sensor, ask: Callable[[], int], refusal: type[Exception]) -> None:
        self.sensor = sensor
        self._ask, self._refusal = ask, refusal

    def read(self) -> float | None:
        """Joules so far or watts now; None where the driver refuses, such as when the GPU was lost."""
        try:
            return self._ask() / THOUSANDTHS
        except self._refusal:
            return None

    def close(self) -> None:
        """Nothing to free: the library is let go with the process."""


def _meter(library: Any, part: str, gpu: Any) -> GpuMeter:
    name = library.nvmlDeviceGetName(gpu)
    try:
        quantity, ask = "energy", library.nvmlDeviceGetTotalEnergyConsumption
        ask(gpu)
    except (library.NVMLError, AttributeError):
        quantity, ask = "power", library.nvmlDeviceGetPowerUsage
        ask(gpu)
    sensor = Sensor(
        id=f"nvml {part}",
        source="nvml",
        name=name.decode("utf-8", "replace") if isinstance(name, bytes) else name,
        scope="gpu",
        quantity=quantity,
    )
    return GpuMeter(sensor, lambda: int(ask(gpu)), library.NVMLError)


def _library(root: Path) -> Any:
    """The library, ready. It stays so until the process ends: starting it anew costs up to seconds."""
    if root != HERE:
        there = word_or_none(root, DRIVER) is not None
        raise UnreadableError("NVML tells of the machine that it runs on only" if there else NO_DRIVER)
    _refuse_to_wake(root)
    try:
        import pynvml
    except ImportError:
        raise UnreadableError(_no_package(root)) from None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        here = word_or_none(root, DRIVER) is not None
        raise UnreadableError(f"NVIDIA driver: {error}" if here else NO_DRIVER) from None
    return pynvml


def _no_package(root: Path) -> str:
    """Windows has no file that tells of the driver, but its program is installed with it."""
    if word_or_none(root, DRIVER) is None and not shutil.which("nvidia-smi"):
        return NO_DRIVER
    return "nvidia-ml-py is not installed: pip install 'edgeprof[nvidia]'"


def _refuse_to_wake(root: Path) -> None:
    """A laptop's GPU that sleeps would be kept awake by questions, and take watts that nobody asked it for."""
    states = [word_or_none(root, f"{gpu}/power/runtime_status") for gpu in entries(root, ASLEEP, "*:*")]
    if states and all(state == "suspended" for state in states):
        raise UnreadableError("the NVIDIA GPU sleeps, and reading it would wake it")


def _gpus(library: Any) -> dict[str, Any]:
    """The GPUs by part: "gpu 0", "gpu 1"."""
    try:
        count = min(library.nvmlDeviceGetCount(), MOST_GPUS)
        found = {f"gpu {n}": library.nvmlDeviceGetHandleByIndex(n) for n in range(count)}
    except library.NVMLError as error:
        raise UnreadableError(f"the NVIDIA driver does not name its GPUs ({error})") from None
    if not found:
        raise UnreadableError("the NVIDIA driver names no GPU")
    return found


def _reader(ask: Callable[[Any, Any], Value]) -> Reader:
    """What every GPU answers. Raises `UnreadableError` where none does."""

    def read(root: Path) -> Readings:
        library = _library(root)
        said: dict[str, Value] = {}
        reasons = []
        for part, gpu in _gpus(library).items():
            try:
                said[part] = ask(library, gpu)
            except (library.NVMLError, AttributeError) as error:
                reasons.append(f"{part}: {error}")
        if not said:
            raise UnreadableError(f"NVML: {'; '.join(reasons)}")
        return said

    return read


def _clock(library: Any, gpu: Any) -> Value:
    return int(library.nvmlDeviceGetClockInfo(gpu, library.NVML_CLOCK_GRAPHICS)) * 1_000_000


def _clock_asked(library: Any, gpu: Any) -> Value:
    target = library.NVML_CLOCK_ID_APP_CLOCK_TARGET
    return int(library.nvmlDeviceGetClock(gpu, library.NVML_CLOCK_GRAPHICS, target)) * 1_000_000


def _load(library: Any, gpu: Any) -> Value:
    return float(library.nvmlDeviceGetUtilizationRates(gpu).gpu) / 100


def _temperature(library: Any, gpu: Any) -> Value:
    return float(library.nvmlDeviceGetTemperature(gpu, library.NVML_TEMPERATURE_GPU))


def _throttled(library: Any, gpu: Any) -> Value:
    """Drivers and libraries before 535 know the question by its older name."""
    try:
        bits = library.nvmlDeviceGetCurrentClocksEventReasons(gpu)
    except (library.NVMLError_FunctionNotFound, AttributeError):
        bits = library.nvmlDeviceGetCurrentClocksThrottleReasons(gpu)
    return ", ".join(word for bit, word in REASONS.items() if bits & bit) or "no"


def _power_limit(library: Any, gpu: Any) -> Value:
    return f"at most {library.nvmlDeviceGetEnforcedPowerLimit(gpu) / THOUSANDTHS:g} W"


STATE: Mapping[str, Reader] = {
    "gpu_clock": _reader(_clock),
    "gpu_clock_asked": _reader(_clock_asked),
    "gpu_load": _reader(_load),
    "temperature": _reader(_temperature),
    "throttled_now": _reader(_throttled),
    "power_mode": _reader(_power_limit),
}
