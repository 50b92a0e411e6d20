"""Clock and load of the GPUs of PCs, by the names of their cards (i915 and xe of Intel, amdgpu of AMD)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path

from profiler.host.kernel_files import UnreadableError, entries, is_there, number, read_text
from profiler.telemetry.clocks import MHZ, hertz, hertz_or_off
from profiler.telemetry.parts import readable
from profiler.telemetry.protocol import Reader, Readings, Value

CARDS = "sys/class/drm"
XE = "device/tile0/gt0/freq0"


def _each(read: Callable[[Path, str], Value], root: Path) -> Readings:
    """Of every card; its outputs are listed beside it as card0-DP-1 and the like."""
    folders = {folder.rpartition("/")[2]: folder for folder in entries(root, CARDS, "card[0-9]*")}
    parts = ((name, partial(read, root, card)) for name, card in folders.items() if name[4:].isdecimal())
    return readable(parts, none=f"GPU in {CARDS}: not offered here")


def _clock(root: Path, card: str) -> int | str:
    """Hz now; "off" for a GPU that rests. AMD's driver tells it among its sensors."""
    sensors = [f"{chip}/freq1_input" for chip in entries(root, f"{card}/device/hwmon", "hwmon*")]
    files = {f"{card}/gt_act_freq_mhz": MHZ, f"{card}/{XE}/act_freq": MHZ} | dict.fromkeys(sensors, 1)
    name = _the_one_there(root, card, files)
    return hertz_or_off(root, name, files[name])


def _asked(root: Path, card: str) -> int:
    """The highest Hz that is allowed now."""
    files = (f"{card}/gt_max_freq_mhz", f"{card}/{XE}/max_freq", f"{card}/device/pp_dpm_sclk")
    name = _the_one_there(root, card, files)
    return _highest_level(root, name) if name == files[2] else hertz(root, name, MHZ)


def _highest_level(root: Path, name: str) -> int:
    """Of AMD's levels, one a line: "1: 1200Mhz *"."""
    levels = re.findall(r"^\d{1,2}: (\d{1,5})Mhz", read_text(root, name), re.MULTILINE | re.ASCII)
    if not levels:
        raise UnreadableError(f"{name}: lists no clock")
    return max(map(int, levels)) * MHZ


def _load(root: Path, card: str) -> float:
    name = f"{card}/device/gpu_busy_percent"
    percent = number(root, name)
    if not 0 <= percent <= 100:
        raise UnreadableError(f"{name}: {percent}% is no load")
    return percent / 100


def _the_one_there(root: Path, card: str, files: Iterable[str]) -> str:
    found = next((name for name in files if is_there(root, name)), None)
    if found is None:
        raise UnreadableError(f"clock of {card}: not offered here")
    return found


STATE: Mapping[str, Reader] = {
    "gpu_clock": partial(_each, _clock),
    "gpu_clock_asked": partial(_each, _asked),
    "gpu_load": partial(_each, _load),
}
