"""The state of the processor: its clock, its temperature, and how often it has slowed itself down.

Which kernel files tell them is found out once, when the worker starts; reading them takes microseconds.
"""

import glob
import os
import re
import sys
from typing import Dict, Iterable, List, Optional, Union

Reading = Union[int, float, None]

MOST_CPUS = 16
"""Of more CPUs than these the first ones are read: reading a file takes some 4 microseconds."""

MOST_SENSORS = 16

_PROCESSOR = re.compile(r"cpu|soc[-_\d]|core|x86_pkg|k10temp|zenpower|bcm2\d{3}|\btj\b")
"""What chips call the sensors of their processor, such as x86_pkg_temp, cpu-thermal, soc_thermal, bigcore0_thermal,
coretemp, tj-thermal. Batteries, power chips, disks and network chips are not among them; on phones a bare `soc` is
the charge of the battery."""

_COOLING = re.compile(r"cpufreq|^processor$")
"""Cooling devices that work by slowing the CPU down."""

_OF_ITSELF = 0b1110
"""Of a Raspberry Pi's word: clock capped, throttled, soft limit of temperature; now, and 16 bits higher since start-up.
The lowest bit is too little voltage (Raspberry Pi documentation, get_throttled)."""


class Processor:
    """The files below `root` that tell the state of `cpus`, of which `threads` are kept busy.

    Every reading is None where this system does not tell.
    """

    def __init__(self, cpus: Iterable[int], threads: Optional[int] = None, root: str = "/") -> None:
        folders = [os.path.join(root, f"sys/devices/system/cpu/cpu{n}") for n in sorted(cpus)[:MOST_CPUS]]
        self._busy = threads or len(folders)
        self._clocks = _clocks(folders)
        self._sensors = _sensors(root)
        self._counts = [path for cpu in folders for path in _found(cpu, "thermal_throttle/*_throttle_count")]
        self._cooling = [
            os.path.join(device, "cur_state")
            for device in _found(root, "sys/class/thermal/cooling_device*")
            if _COOLING.search((_text(os.path.join(device, "type")) or "").lower())
        ]
        self._words = _found(root, "sys/devices/platform/soc*/*firmware/get_throttled")

    def conditions(self) -> Dict[str, Reading]:
        """Mean clock of the CPUs in use, highest temperature of the processor's sensors."""
        return {"clock_hz": self._clock_hz(), "temperature_c": self._temperature_c()}

    def _clock_hz(self) -> Optional[int]:
        """Idle CPUs may be slow without any harm: as many of the fastest count as there are threads."""
        clocks = []  # type: List[int]
        for path, cpus in self._clocks.items():
            khz = _number(path)
            clocks += [khz] * cpus if khz else []
        busy = sorted(clocks, reverse=True)[: self._busy]
        return sum(busy) * 1000 // len(busy) if busy else None

    def _temperature_c(self) -> Optional[float]:
        read = [_number(path) for path in self._sensors]
        return max(
            (value / 1000 for value in read if value is not None and _is_plausible(value)), default=None
        )

    def throttle_count(self) -> Optional[int]:
        """How often the processor has slowed itself down since start-up, by all counters that there are.

        A Raspberry Pi keeps no counter: each kind of slowing down that its firmware remembers counts once.
        """
        if not (self._counts or self._cooling or self._words):
            return None
        remembered = sum(bin(word >> 16 & _OF_ITSELF).count("1") for word in self._said())
        return sum(_number(path) or 0 for path in self._counts) + remembered

    def throttled_since(self, count: Optional[int]) -> Optional[int]:
        """How often it has done so since `throttle_count` gave `count`; being slowed down now counts as once."""
        now = self.throttle_count()
        if count is None or now is None:
            return None
        return max(now - count, 1 if self._is_slowed_down() else 0)

    def _is_slowed_down(self) -> bool:
        capped = any(_number(path) for path in self._cooling)
        return capped or any(word & _OF_ITSELF for word in self._said())

    def _said(self) -> List[int]:
        """The words of a Raspberry Pi's firmware: hexadecimal without 0x."""
        texts = [_text(path) for path in self._words]
        return [int(text, 16) for text in texts if text and re.fullmatch(r"[0-9a-fA-F]{1,8}", text)]


def allowed_cpus() -> List[int]:
    """The CPUs that this process may use; none where the system does not tell."""
    return sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else []


def _clocks(folders: Iterable[str]) -> Dict[str, int]:
    """The file of each clock, and how many CPUs share it. A link leads to the folder that they share."""
    found = {}  # type: Dict[str, int]
    for cpu in folders:
        path = os.path.realpath(os.path.join(cpu, "cpufreq", "scaling_cur_freq"))
        if os.path.exists(path):
            found[path] = found.get(path, 0) + 1
    return found


def _sensors(root: str) -> List[str]:
    """The temperature files of what calls itself a processor; on AMD not the one with an offset, Tctl."""
    zones = [
        os.path.join(zone, "temp")
        for zone in _found(root, "sys/class/thermal/thermal_zone*")
        if _is_processor(_text(os.path.join(zone, "type")))
    ]
    inputs = [
        path
        for chip in _found(root, "sys/class/hwmon/hwmon*")
        if _is_processor(_text(os.path.join(chip, "name")))
        for path in _found(chip, "temp*_input")
    ]
    labels = {path: _text(path.replace("_input", "_label")) for path in inputs}
    better = [path for path in inputs if labels[path] != "Tctl"]
    return (zones + (better or inputs))[:MOST_SENSORS]


def _is_processor(name: Optional[str]) -> bool:
    return bool(name and _PROCESSOR.search(name.lower()))


def _is_plausible(millidegrees: int) -> bool:
    """Sensors that are not there read -256, 0 or more than any chip survives."""
    return 0 < millidegrees < 125_000


def _found(folder: str, pattern: str) -> List[str]:
    return sorted(glob.glob(os.path.join(glob.escape(folder), pattern)))


def _text(path: str) -> Optional[str]:
    """The first line of a small file."""
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        return os.read(file, 64).decode("ascii", "replace").strip()
    except OSError:
        return None
    finally:
        os.close(file)


def _number(path: str) -> Optional[int]:
    text = _text(path)
    return int(text) if text and re.fullmatch(r"-?[0-9]{1,18}", text) else None
