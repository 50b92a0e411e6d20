"""This machine as a device profile, and how much of it this process may use.

Everything is read from the kernel's files below `root`, so that a test can build any board. Where there are
none (macOS, Windows), `platform` and psutil fill in what they can and the rest is absent.
"""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Literal, TypeVar

import msgspec
import psutil

from profiler.catalogue.devices import THIS, Cluster, DeviceProfile, Fact, Memory, Source, figures
from profiler.host.cgroup import memory_rooms
from profiler.host.confinement import cgroup_cpus
from profiler.host.cpus import Cpu, fastest, read_cpus
from profiler.host.kernel_files import UnreadableError, read_text, word_or_none

T = TypeVar("T")
Kind = Literal["board", "laptop", "desktop", "server", "phone", "generic"]

_SOURCE = "this-machine"
_CHASSIS: dict[str, Kind] = {
    "3": "desktop",
    "8": "laptop",
    "9": "laptop",
    "10": "laptop",
    "14": "laptop",
    "17": "server",
    "23": "server",
    "31": "laptop",
    "32": "laptop",
}
"""DMI chassis types (SMBIOS specification, system enclosure) that name a kind of device."""
_PLACEHOLDERS = ("to be filled by o.e.m.", "system product name", "default string", "not specified", "none")
_WHY_ABSENT = {
    "theoretical_bytes_per_s": "no kernel file gives it",
    "measured_bytes_per_s": "not measured yet",
    "peaks": "not measured yet",
    "power_w": "not measured yet",
    "accelerators": "an engine says which it reaches",
}


class MemoryLimit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Memory this process can have at all and can have now, in bytes, and what sets the latter."""

    total_bytes: int | None
    available_bytes: int | None
    limit_source: Literal["MemAvailable", "cgroup", "psutil"] | None


def this_machine(root: Path = Path("/")) -> DeviceProfile:
    """This machine as a profile with the id `this`; never its host name or a serial number."""
    profile = DeviceProfile(
        id=THIS,
        name=_name(root),
        version=1,
        kind=_kind(root),
        soc=_fact(_soc(root)),
        cpu=tuple(_clusters(root))
        or (Cluster(core=_fact(platform.processor()), count=_fact(_psutil_cores())),),
        memory=Memory(bytes=_fact(_kernel_memory(root).total_bytes)),
        sources=(Source(id=_SOURCE, what="read on this machine"),),
    )
    absent = [key for key, fact in figures(profile) if fact is None]
    reasons = {key: _WHY_ABSENT.get(key.rpartition(".")[2], "not readable here") for key in absent}
    return msgspec.structs.replace(profile, absent=reasons)


def physical_cores(root: Path, allowed: set[int]) -> int:
    """Performance cores this process may use, at least 1: the default number of threads.

    Counts cores, not threads, of the fastest class among the CPUs in `allowed`, and no more than the whole
    CPUs of the container's quota.
    """
    usable = [cpu for cpu in read_cpus(root) if cpu.number in allowed]
    cores = len({cpu.core for cpu in fastest(usable)}) if usable else min(_psutil_cores() or 1, len(allowed))
    try:
        return max(1, min(cores, int(cgroup_cpus(root))))
    except UnreadableError:
        return max(1, cores)


def default_threads() -> int:
    """Threads that an engine gets when the user names no number: `physical_cores` of this process."""
    known = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))
    return physical_cores(Path("/"), known)


def available_memory(root: Path = Path("/")) -> MemoryLimit:
    """What this process can have: the kernel's MemAvailable, or what a cgroup leaves if that is less."""
    limit = _kernel_memory(root)
    for total, room in memory_rooms(root):
        if limit.total_bytes is not None and total < limit.total_bytes:
            limit = msgspec.structs.replace(limit, total_bytes=total)
        if limit.available_bytes is not None and room < limit.available_bytes:
            limit = msgspec.structs.replace(limit, available_bytes=room, limit_source="cgroup")
    return limit


def _kernel_memory(root: Path) -> MemoryLimit:
    try:
        known = dict(re.findall(r"^(\w+):\s*(\d{1,15}) kB", read_text(root, "proc/meminfo"), re.MULTILINE))
        total = int(known["MemTotal"]) * 1024
    except (UnreadableError, KeyError):
        return _psutil_memory()
    if "MemAvailable" not in known:
        return MemoryLimit(total_bytes=total, available_bytes=None, limit_source=None)
    available = int(known["MemAvailable"]) * 1024
    return MemoryLimit(total_bytes=total, available_bytes=available, limit_source="MemAvailable")


def _psutil_memory() -> MemoryLimit:
    try:
        memory = psutil.virtual_memory()
    except (OSError, RuntimeError, KeyError):
        return MemoryLimit(total_bytes=None, available_bytes=None, limit_source=None)
    return MemoryLimit(total_bytes=memory.total, available_bytes=memory.available, limit_source="psutil")


def _psutil_cores() -> int | None:
    try:
        cores: int | None = psutil.cpu_count(logical=False)
        return cores
    except (OSError, RuntimeError, KeyError):
        return None


def _clusters(root: Path) -> Iterable[Cluster]:
    cpus = sorted(read_cpus(root), key=_likeness)
    groups = [list(group) for _, group in groupby(cpus, key=_likeness)]
    return (_cluster(group) for group in sorted(groups, key=lambda group: group[0].number))


def _likeness(cpu: Cpu) -> str:
    return repr((cpu.name, cpu.part, cpu.hybrid, cpu.capacity, cpu.min_mhz, cpu.max_mhz, cpu.isa))


def _cluster(cpus: list[Cpu]) -> Cluster:
    first = cpus[0]
    cores = len({cpu.core for cpu in cpus})
    kind = {"core": "performance cores", "atom": "efficiency cores"}.get(first.hybrid or "")
    return Cluster(
        core=_fact(first.name, kind),
        count=_fact(cores, None if cores == len(cpus) else f"{len(cpus)} threads"),
        part=_fact(first.part),
        min_mhz=_fact(first.min_mhz),
        max_mhz=_fact(first.max_mhz),
        isa=_fact(first.isa),
    )


def _fact(value: T | None, note: str | None = None) -> Fact[T] | None:
    return Fact(value=value, source=_SOURCE, confidence="H", note=note) if value else None


def _name(root: Path) -> str:
    model = word_or_none(root, "proc/device-tree/model") or word_or_none(
        root, "sys/class/dmi/id/product_name"
    )
    if model is None or model.lower() in _PLACEHOLDERS:
        return f"{platform.machine() or 'unknown'} machine"
    return model


def _kind(root: Path) -> Kind:
    chassis = _CHASSIS.get(word_or_none(root, "sys/class/dmi/id/chassis_type") or "")
    return chassis or ("board" if word_or_none(root, "proc/device-tree/model") else "generic")


def _soc(root: Path) -> str | None:
    """The last, least specific word of the device tree's compatible list, as in `brcm,bcm2712`."""
    words = (word_or_none(root, "proc/device-tree/compatible") or "").split()
    return words[-1] if words else None
