"""The state of the machine around a measurement, as it goes into every run file.

It names no host, user, serial number, hardware address or absolute path.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
import psutil

import profiler
from profiler.host import confinement, readings
from profiler.host.compilers import compilers
from profiler.host.elsewhere import told
from profiler.host.kernel_files import HERE, UnreadableError, is_there


class Environment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is known of this machine now. None means not readable; `unreadable` then says why.

    Clocks are MHz, one per frequency domain; `mhz_limit` is the cap in force, `mhz_max` what the chip can do.
    `governors` names each governor once, `policy_governors` has one per frequency domain. `cgroup_cpus` is a
    quota in cores. Temperatures are degrees Celsius by zone type, the hottest of a type. `compilers` has, by
    engine, what compiled its library.
    """

    os_name: str | None = None
    kernel_release: str | None = None
    architecture: str | None = None
    libc: str | None = None
    python_version: str | None = None
    edgeprof_version: str | None = None
    compilers: dict[str, str] | None = None
    cpu_model: str | None = None
    cpus_allowed: int | None = None
    cpus_total: int | None = None
    governors: tuple[str, ...] | None = None
    policy_governors: tuple[str, ...] | None = None
    mhz_now: tuple[int, ...] | None = None
    mhz_limit: tuple[int, ...] | None = None
    mhz_max: tuple[int, ...] | None = None
    turbo: bool | None = None
    smt_active: bool | None = None
    memory_total_bytes: int | None = None
    memory_available_bytes: int | None = None
    swap_total_bytes: int | None = None
    swap_used_bytes: int | None = None
    zram_bytes: int | None = None
    page_size_bytes: int | None = None
    transparent_huge_pages: str | None = None
    huge_pages_total: int | None = None
    cgroup_cpus: float | None = None
    cgroup_memory_bytes: int | None = None
    hypervisor: str | None = None
    container: str | None = None
    power_source: str | None = None
    battery_percent: int | None = None
    temperatures: dict[str, float] | None = None
    clocksource: str | None = None
    load_average: tuple[float, ...] | None = None
    unreadable: dict[str, str] = {}


def _libc(_root: Path) -> str:
    name, version = platform.libc_ver()
    if not name:
        raise UnreadableError("the C library does not say")
    return f"{name} {version}"


READERS: Mapping[str, Callable[[Path], object]] = {
    "os_name": readings.os_name,
    "kernel_release": readings.kernel_release,
    "architecture": readings.architecture,
    "libc": _libc,
    "python_version": lambda _root: f"{platform.python_implementation()} {platform.python_version()}",
    "edgeprof_version": lambda _root: profiler.__version__,
    "compilers": lambda _root: compilers(),
    "cpu_model": readings.cpu_model,
    "cpus_allowed": readings.cpus_allowed,
    "cpus_total": readings.cpus_total,
    "governors": readings.governors,
    "policy_governors": readings.policy_governors,
    "mhz_now": readings.mhz_now,
    "mhz_limit": readings.mhz_limit,
    "mhz_max": readings.mhz_max,
    "turbo": readings.turbo,
    "smt_active": readings.smt_active,
    "memory_total_bytes": readings.memory_total,
    "memory_available_bytes": readings.memory_available,
    "swap_total_bytes": readings.swap_total,
    "swap_used_bytes": readings.swap_used,
    "zram_bytes": readings.zram,
    "page_size_bytes": readings.page_size,
    "transparent_huge_pages": readings.transparent_huge_pages,
    "huge_pages_total": readings.huge_pages_total,
    "cgroup_cpus": confinement.cgroup_cpus,
    "cgroup_memory_bytes": confinement.cgroup_memory,
    "hypervisor": confinement.hypervisor,
    "container": confinement.container,
    "power_source": readings.power_source,
    "battery_percent": readings.battery_percent,
    "temperatures": readings.temperatures,
    "clocksource": readings.clocksource,
    "load_average": readings.load_average,
}
"""Where each field comes from on Linux, and the facts of this process that are the same everywhere."""


def _cpus_allowed(_root: Path) -> int:
    affinity = getattr(psutil.Process(), "cpu_affinity", None)
    if affinity is None:
        raise UnreadableError("this system does not bind processes to CPUs")
    return len(affinity())


def _processor(_root: Path) -> str:
    if not platform.processor():
        raise UnreadableError("this system does not name its processor")
    return platform.processor()


def _clock(_root: Path) -> tuple[int, ...]:
    clock = psutil.cpu_freq()
    if not clock or not clock.current:
        raise UnreadableError("this system does not tell the clock")
    return (int(clock.current),)


def _battery_percent(_root: Path) -> int:
    battery = psutil.sensors_battery()
    if battery is None:
        raise UnreadableError("no battery")
    return int(battery.percent)


def _power_source(_root: Path) -> str:
    battery = psutil.sensors_battery()
    if battery is None or battery.power_plugged is None:
        raise UnreadableError("no battery")
    return "mains" if battery.power_plugged else "battery"


ELSEWHERE: Mapping[str, Callable[[Path], object]] = {
    "os_name": lambda _root: f"{platform.system()} {platform.mac_ver()[0] or platform.version()}",
    "cpu_model": _processor,
    "cpus_allowed": _cpus_allowed,
    "cpus_total": lambda _root: psutil.cpu_count(),
    "mhz_now": _clock,
    "memory_total_bytes": lambda _root: psutil.virtual_memory().total,
    "memory_available_bytes": lambda _root: psutil.virtual_memory().available,
    "swap_total_bytes": lambda _root: psutil.swap_memory().total,
    "swap_used_bytes": lambda _root: psutil.swap_memory().used,
    "power_source": _power_source,
    "battery_percent": _battery_percent,
    "load_average": lambda _root: psutil.getloadavg(),
}
"""What macOS and Windows tell through psutil."""


def _told(root: Path) -> dict[str, object]:
    """What macOS or Windows tells directly, which goes before what psutil makes of it."""
    known = told(root)
    if known is None:
        return {}
    values = {
        "architecture": known.architecture,
        "cpu_model": known.cpu,
        "cpus_total": sum(group.threads for group in known.cores) or None,
        "memory_total_bytes": known.memory_bytes,
        "page_size_bytes": known.page_bytes,
        "hypervisor": None if known.virtual is None else ("unknown kind" if known.virtual else "none"),
    }
    return {name: value for name, value in values.items() if value is not None}


def environment(root: Path = HERE) -> Environment:
    """Reads this machine, or the tree at `root`. Never raises: what cannot be read is None, with a reason."""
    elsewhere = platform.system() != "Linux" and not is_there(root, "proc")
    readers = {**READERS, **ELSEWHERE} if elsewhere else READERS
    values: dict[str, object] = {}
    reasons: dict[str, str] = {}
    for name, read in readers.items():
        try:
            values[name] = read(root)
        except UnreadableError as reason:
            reasons[name] = str(reason)
        except (OSError, RuntimeError, psutil.Error):
            reasons[name] = "this system does not tell"
    values |= _told(root)
    unreadable = {name: reason for name, reason in reasons.items() if name not in values}
    return msgspec.convert(values | {"unreadable": unreadable}, Environment)
