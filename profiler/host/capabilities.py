"""What can be measured on this machine, and why the rest cannot."""

from __future__ import annotations

import platform
import shutil
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import msgspec

from profiler.host.counters import cpu_times
from profiler.host.environment import Environment
from profiler.host.finding import Finding
from profiler.host.kernel_files import HERE, UnreadableError, entries, field, is_there, number, word_or_none
from profiler.host.programs import is_offered
from profiler.host.readings import batteries
from profiler.host.vendors import vcgencmd

HARDWARE_COUNTERS = ("cpu", "armv", "apple_")
"""How the kernel's names of CPU counter units begin; "cpu" covers cpu_core and cpu_atom."""

MOST_OPEN_PARANOID = 2
"""Up to this perf_event_paranoid a user may count events of the own processes."""

NO_ENERGY = "energy per token stays empty"
OPEN_RAPL = "sudo chmod a+r /sys/class/powercap/intel-rapl:*/energy_uj"
READ_MACOS_POWER = "sudo powermetrics --samplers cpu_power,gpu_power"


class Sensor(msgspec.Struct, frozen=True, kw_only=True):
    """An energy sensor, by what is seen of it. One with advice cannot be read until that is done."""

    name: str
    advice: str | None = None


NO_SENSOR = Sensor(name="no sensor found", advice="Let a wall or USB meter write a log: --power-log.")


def capabilities(root: Path, here: Environment) -> list[Finding]:
    """One finding per kind of measurement: `ok`, or `missing` with the reason."""
    findings = [
        _memory_phases(root),
        _peak_memory(root),
        _cpu_use(root),
        _clock(root, here),
        _temperature(here),
        _energy(root),
        _hardware_counters(root),
    ]
    if here.hypervisor not in (None, "none"):
        findings.append(_host(here))
    return findings


def _memory_phases(root: Path) -> Finding:
    code = "measure.memory"
    try:
        field(root, "proc/self/smaps_rollup", "Pss")
    except UnreadableError as reason:
        return Finding(
            code=code, status="missing", seen=str(reason), why="memory by phase and kind stays empty"
        )
    return Finding(code=code, status="ok", seen="by phase and kind (smaps_rollup)")


def _peak_memory(root: Path) -> Finding:
    code = "measure.peak_memory"
    try:
        field(root, "proc/self/status", "VmHWM")
    except UnreadableError as reason:
        return Finding(
            code=code, status="missing", seen=str(reason), why="the kernel keeps no high-water mark"
        )
    return Finding(code=code, status="ok", seen="the kernel's high-water mark (VmHWM)")


def _cpu_use(root: Path) -> Finding:
    code = "measure.other_cpu"
    times = cpu_times(root)
    if times is None:
        why = "passes that others disturb cannot be told"
        return Finding(code=code, status="missing", seen="no CPU counters", why=why)
    steal = ", stolen time too" if times.steal_s is not None else ""
    return Finding(code=code, status="ok", seen=f"ticks of 10 ms{steal}: passes from 0.3 s on")


def _clock(root: Path, here: Environment) -> Finding:
    code = "measure.clock"
    if here.mhz_now is None:
        return Finding(
            code=code,
            status="missing",
            seen=here.unreadable.get("mhz_now", "not readable"),
            why="throttling shows only as slower rounds",
        )
    seen = f"{_span(here.mhz_now)} MHz now" + (f", at most {_span(here.mhz_max)}" if here.mhz_max else "")
    if not _is_pi(root):
        return Finding(code=code, status="ok", seen=seen)
    why = "the firmware owns the clock of a Raspberry Pi: this can be a wish"
    return Finding(code=code, status="ok", seen=seen, why=why, advice="vcgencmd measure_clock arm")


def _span(values: tuple[int, ...]) -> str:
    return f"{min(values)} to {max(values)}" if min(values) < max(values) else str(min(values))


def _is_pi(root: Path) -> bool:
    return "raspberrypi," in (word_or_none(root, "proc/device-tree/compatible") or "")


def _temperature(here: Environment) -> Finding:
    code = "measure.temperature"
    if here.temperatures is None:
        reason = here.unreadable.get("temperatures", "not readable")
        return Finding(code=code, status="missing", seen=reason, why="heat shows only as slower rounds")
    zone, degrees = max(here.temperatures.items(), key=lambda item: item[1])
    return Finding(
        code=code,
        status="ok",
        seen=f"the hottest zone is {zone} at {degrees:.0f} degC",
    )


def _energy(root: Path) -> Finding:
    code = "measure.energy"
    looks = (_rapl, _ina3221, _pi_pmic, _nvidia, _battery, _powermetrics)
    sensors = [sensor for look in looks if (sensor := look(root)) is not None]
    usable = [sensor.name for sensor in sensors if sensor.advice is None]
    closed = [sensor for sensor in sensors if sensor.advice is not None]
    if usable:
        why, advice = (closed[0].name, closed[0].advice) if closed else (None, None)
        return Finding(code=code, status="ok", seen=", ".join(usable), why=why, advice=advice)
    first = closed[0] if closed else NO_SENSOR
    return Finding(code=code, status="missing", seen=first.name, why=NO_ENERGY, advice=first.advice)


def _rapl(root: Path) -> Sensor | None:
    zones = entries(root, "sys/class/powercap", "intel-rapl:[0-9]*")
    if not zones:
        return None
    try:
        for zone in zones:
            number(root, f"{zone}/energy_uj")
    except UnreadableError:
        return Sensor(name="RAPL is there, but only root may read it", advice=OPEN_RAPL)
    packages = {word_or_none(root, f"{zone}/name") or "?" for zone in zones if zone.count(":") == 1}
    return Sensor(name=f"RAPL ({', '.join(sorted(packages))})")


def _ina3221(root: Path) -> Sensor | None:
    chips = entries(root, "sys/class/hwmon", "hwmon*")
    if not any(word_or_none(root, f"{chip}/name") == "ina3221" for chip in chips):
        return None
    return Sensor(name="board rails (INA3221)")


def _pi_pmic(root: Path) -> Sensor | None:
    if "bcm2712" not in (word_or_none(root, "proc/device-tree/compatible") or ""):
        return None
    if not is_offered(root, vcgencmd("pmic_read_adc")):
        return Sensor(name="the power chip is there, but vcgencmd is not", advice="Install vcgencmd.")
    return Sensor(name="rails of the Raspberry Pi 5 (not USB, not HATs)")


def _nvidia(root: Path) -> Sensor | None:
    here = root == HERE and shutil.which("nvidia-smi")
    if not here and not is_there(root, "proc/driver/nvidia/version"):
        return None
    if find_spec("pynvml") is None:
        return Sensor(name="an NVIDIA driver without its library", advice="pip install 'edgeprof[nvidia]'")
    return Sensor(name="NVIDIA GPU (NVML)")


def _battery(root: Path) -> Sensor | None:
    for battery in batteries(root):
        if not any(word_or_none(root, f"{battery}/{name}") for name in ("power_now", "current_now")):
            continue
        if word_or_none(root, f"{battery}/status") == "Discharging":
            return Sensor(name="battery")
        return Sensor(name="the battery's meter needs it to discharge", advice="Unplug it for energy.")
    return None


def _powermetrics(root: Path) -> Sensor | None:
    if root != HERE or platform.system() != "Darwin":
        return None
    return Sensor(name="macOS tells power only to root", advice=READ_MACOS_POWER)


def _hardware_counters(root: Path) -> Finding:
    code, why = "measure.instructions", "no headline figure needs them"
    units = [path.rsplit("/", 1)[1] for path in entries(root, "sys/bus/event_source/devices", "*")]
    if not any(unit.startswith(HARDWARE_COUNTERS) for unit in units):
        return Finding(code=code, status="missing", seen="no hardware counters", why=why)
    with suppress(UnreadableError):
        level = number(root, "proc/sys/kernel/perf_event_paranoid")
        if level > MOST_OPEN_PARANOID:
            advice = "sudo sysctl kernel.perf_event_paranoid=2"
            seen = f"only root may count (perf_event_paranoid is {level})"
            return Finding(code=code, status="missing", seen=seen, why=why, advice=advice)
    return Finding(code=code, status="ok", seen="hardware counters (perf)")


def _host(here: Environment) -> Finding:
    return Finding(
        code="measure.host",
        status="missing",
        seen=f"virtual machine ({here.hypervisor})",
        why="the host's page cache and clock, and its other guests, stay unseen",
        advice="Compare builds inside one run.",
    )
