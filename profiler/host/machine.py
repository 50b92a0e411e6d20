"""This machine as a device profile, and how much of it this process may use.

Everything is read from the kernel's files below `root`, so that a test can build any board. Where there are
none, macOS or Windows is asked. What that does not tell, `platform` and psutil fill in; the rest is absent.
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

from profiler.catalogue.devices import Cluster, DeviceProfile, Fact, Memory, Source, figures
from profiler.host.cgroup import memory_rooms
from profiler.host.confinement import cgroup_cpus
from profiler.host.cpus import Cpu, fastest, read_cpus
from profiler.host.elsewhere import told
from profiler.host.kernel_files import HERE, UnreadableError, read_text, word_or_none
from profiler.host.readings import compatible
from profiler.host.told import KINDS, CoreClass, Told
from profiler.runfile import THIS

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
_HYBRID = dict(zip(("core", "atom", "lowpower"), KINDS, strict=True))
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


def this_machine(root: Path = HERE) -> DeviceProfile:
    """This machine as a profile with the id `this`; never its host name or a serial number."""
    known = told(root) or Told()
    profile = DeviceProfile(
        id=THIS,
        name=_name(root, known),
        version=1,
        kind=_kind(root, known),
        soc=_fact(_soc(root, known)),
        cpu=tuple(_clusters(root))
        or tuple(_told_cluster(known, group) for group in known.cores)
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
    cores = len({cpu.core for cpu in fastest(usable)}) if usable else min(_told_cores(root), len(allowed))
    try:
        return max(1, min(cores, int(cgroup_cpus(root))))
    except UnreadableError:
        return max(1, cores)


def default_threads() -> int:
    """Threads that an engine gets when the user names no number: `physical_cores` of this process."""
    known = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))
    return physical_cores(HERE, known)


def available_memory(root: Path = HERE) -> MemoryLimit:
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
        return _told_memory(root) or _psutil_memory()
    if "MemAvailable" not in known:
        return MemoryLimit(total_bytes=total, available_bytes=None, limit_source=None)
    available = int(known["MemAvailable"]) * 1024
    return MemoryLimit(total_bytes=total, available_bytes=available, limit_source="MemAvailable")


def _told_memory(root: Path) -> MemoryLimit | None:
    """Of a captured machine with another system. Of this one psutil knows more: what is free."""
    known = told(root) if root != HERE else None
    if known is None:
        return None
    return MemoryLimit(total_bytes=known.memory_bytes, available_bytes=None, limit_source=None)


def _psutil_memory() -> MemoryLimit:
    try:
        memory = psutil.virtual_memory()
    except (OSError, RuntimeError, KeyError):
        return MemoryLimit(total_bytes=None, available_bytes=None, limit_source=None)
    return MemoryLimit(total_bytes=memory.total, available_bytes=memory.available, limit_source="psutil")


def _told_cores(root: Path) -> int:
    """Cores of the fastest class where there are no kernel files."""
    known = told(root)
    return known.cores[0].cores if known and known.cores else _psutil_cores() or 1


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
    return Cluster(
        core=_fact(first.name, _HYBRID.get(first.hybrid or "")),
        count=_fact(cores, _threads(cores, len(cpus))),
        part=_fact(first.part),
        min_mhz=_fact(first.min_mhz),
        max_mhz=_fact(first.max_mhz),
        isa=_fact(first.isa),
    )


def _told_cluster(known: Told, group: CoreClass) -> Cluster:
    return Cluster(
        core=_fact(known.cpu, group.kind),
        count=_fact(group.cores, _threads(group.cores, group.threads)),
        isa=_fact(known.isa),
    )


def _threads(cores: int, threads: int) -> str | None:
    return None if cores == threads else f"{threads} threads"


def _fact(value: T | None, note: str | None = None) -> Fact[T] | None:
    return Fact(value=value, source=_SOURCE, confidence="H", note=note) if value else None


def _name(root: Path, known: Told) -> str:
    files = ("proc/device-tree/model", "sys/class/dmi/id/product_name")
    model = next(filter(None, (word_or_none(root, name) for name in files)), known.product)
    if model is None or model.lower() in _PLACEHOLDERS:
        return f"{platform.machine() or 'unknown'} machine"
    return model


def _kind(root: Path, known: Told) -> Kind:
    chassis = _CHASSIS.get(word_or_none(root, "sys/class/dmi/id/chassis_type") or "")
    if chassis is None and (known.mac or "").startswith("MacBook"):
        return "laptop"
    return chassis or ("board" if word_or_none(root, "proc/device-tree/model") else "generic")


def _soc(root: Path, known: Told) -> str | None:
    """The last, least specific word of the device tree's list, as in `brcm,bcm2712`; of a Mac, its chip."""
    words = compatible(root)
    return words[-1] if words else (known.cpu if known.mac else None)
