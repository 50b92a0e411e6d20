"""Clocks of GPU, NPU and memory on boards (devfreq), and the load of the GPU.

Parts are devices, by the names that the kernel gives them: "fb000000.gpu", "fdab0000.npu", "dmc", "17000000.gpu".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from profiler.host.kernel_files import UnreadableError, entries, is_there, number, word, word_or_none
from profiler.telemetry.clocks import hertz, hertz_or_off
from profiler.telemetry.parts import readable
from profiler.telemetry.protocol import Reader, Readings, Value

DEVICES = "sys/class/devfreq"

NAMES = {
    "GPU": re.compile(r"gpu(?!-nvd)|mali|kgsl|\bg[abmpv]\d{1,2}b\b"),
    "NPU": re.compile(r"npu|nvdla"),
    "DRAM": re.compile(r"\bdmc\b|\bemc\b|\bbwmgr\b|memory-controller|dram"),
}
"""By kind: Rockchip's, Qualcomm's, Arm's and NVIDIA's names (ga10b is Orin's GPU, gpu-gpc-0 Thor's, whose gpu-nvd-0
decodes videos), and those of the device tree."""


def _each(kind: str, read: Callable[[Path, str], Value], root: Path) -> Readings:
    found = {folder.rpartition("/")[2]: folder for folder in entries(root, DEVICES, "*")}
    parts = (
        (name, partial(read, root, folder)) for name, folder in found.items() if NAMES[kind].search(name)
    )
    return readable(parts, none=f"{kind} in {DEVICES}: not offered here")


def _clock(root: Path, device: str) -> int | str:
    """Hz now; "off" for a device that its driver has stopped."""
    return hertz_or_off(root, f"{device}/cur_freq")


def _asked(root: Path, device: str) -> int:
    """Hz asked for when the device is busy: the one that is set if the governor never changes it, else the highest."""
    fixed = word_or_none(root, f"{device}/governor") in ("userspace", "powersave")
    return hertz(root, f"{device}/{'target_freq' if fixed else 'max_freq'}")


def _load(root: Path, device: str) -> float:
    """Share of the time that the device was busy: Rockchip's `7@300000000Hz` are percent, NVIDIA's `70` per mille."""
    if not is_there(root, f"{device}/load"):
        return _share(number(root, f"{device}/device/load"), 1000, f"{device}/device/load")
    percent = re.fullmatch(r"(\d{1,3})@\d{1,12}Hz", word(root, f"{device}/load"), re.ASCII)
    if not percent:
        raise UnreadableError(f"{device}/load: not percent@clock")
    return _share(int(percent[1]), 100, f"{device}/load")


def _share(value: int, whole: int, name: str) -> float:
    if not 0 <= value <= whole:
        raise UnreadableError(f"{name}: {value} of {whole} is no load")
    return value / whole


STATE: Mapping[str, Reader] = {
    "gpu_clock": partial(_each, "GPU", _clock),
    "gpu_clock_asked": partial(_each, "GPU", _asked),
    "npu_clock": partial(_each, "NPU", _clock),
    "npu_clock_asked": partial(_each, "NPU", _asked),
    "dram_clock": partial(_each, "DRAM", _clock),
    "gpu_load": partial(_each, "GPU", _load),
}
