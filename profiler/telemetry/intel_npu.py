"""Clock of an Intel NPU, now and the highest (kernel ABI, intel_vpu).

Its load is not told: the driver counts busy time, to be asked once a second at most, and no reading may take so long.
AMD's NPUs are listed in the same class of devices and have none of these files.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from profiler.host.kernel_files import UnreadableError, entries, field, word_or_none
from profiler.telemetry.clocks import MHZ, hertz, hertz_or_off
from profiler.telemetry.parts import readable
from profiler.telemetry.protocol import Reader, Readings

ACCELERATORS = "sys/class/accel"
NO_NPU = "Intel NPU: not offered here"


def clocks(root: Path) -> Readings:
    """Hz now, or "off": the driver stops the clock whenever there is nothing to do."""
    parts = (
        (name, partial(hertz_or_off, root, f"{device}/npu_current_frequency_mhz", MHZ))
        for name, device in _npus(root).items()
    )
    return readable(parts, none=NO_NPU)


def clocks_asked(root: Path) -> Readings:
    """The highest Hz, which is what a busy NPU is asked for."""
    parts = (
        (name, partial(hertz, root, f"{device}/npu_max_frequency_mhz", MHZ))
        for name, device in _npus(root).items()
    )
    return readable(parts, none=NO_NPU)


def _npus(root: Path) -> dict[str, str]:
    """The folders of Intel's NPUs by names such as accel0."""
    found = {entry.rpartition("/")[2]: f"{entry}/device" for entry in entries(root, ACCELERATORS, "accel*")}
    return {name: device for name, device in found.items() if _is_intels(root, device)}


def _is_intels(root: Path, device: str) -> bool:
    try:
        driver = field(root, f"{device}/uevent", "DRIVER")
    except UnreadableError:
        return False
    return driver == "intel_vpu" and word_or_none(root, f"{device}/vendor") == "0x8086"


STATE: Mapping[str, Reader] = {"npu_clock": clocks, "npu_clock_asked": clocks_asked}
