"""The CPUs of this machine: which core each belongs to, what it is, how fast it can be."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import msgspec

from profiler.host.arm_cores import LITTLE_CORES, core_name
from profiler.host.kernel_files import UnreadableError, number, read_text, word_or_none

SAME_CLOCK = 0.8
"""Cores of at least this clock, as a share of the highest, are of its class: copies of one core differ by up
to a tenth (binning, favoured cores), and so do the prime and the big cores of a phone."""

SAME_CAPACITY = 0.5
"""The same for the kernel's `cpu_capacity`: a little core has less than half of a big one's, the big cores of
a phone have more than half of the prime core's."""


class Cpu(msgspec.Struct, frozen=True, kw_only=True):
    """One logical CPU. `core` is the same for all threads of a core.

    `hybrid` is Intel's `core`, `atom` or `lowpower`: performance, efficiency, low-power efficiency.
    """

    number: int
    core: str
    name: str | None
    part: str | None
    isa: tuple[str, ...]
    hybrid: str | None
    capacity: int | None
    min_mhz: float | None
    max_mhz: float | None


def read_cpus(root: Path) -> list[Cpu]:
    """The CPUs that are online, by number; empty where there is no /proc/cpuinfo."""
    hybrid: dict[int, str] = {}
    for kind in ("core", "atom", "lowpower"):
        listed = _cpu_list(word_or_none(root, f"sys/devices/cpu_{kind}/cpus"))
        hybrid |= dict.fromkeys(listed, kind)
    found = sorted(_cpuinfo(root).items())
    return _low_power_apart([_cpu(root, place, fields, hybrid.get(place)) for place, fields in found])


def fastest(cpus: Sequence[Cpu]) -> Sequence[Cpu]:
    """The CPUs of the fastest class, on which a model runs best.

    Intel says which they are. Elsewhere little cores are known by name, and the rest is told apart by
    capacity and highest clock. The prime and the big cores of a phone are one class: one core alone is no
    default.
    """
    for kind in ("core", "atom"):
        chosen = [cpu for cpu in cpus if cpu.hybrid == kind]
        if chosen:
            return chosen
    big = [cpu for cpu in cpus if cpu.name not in LITTLE_CORES] or cpus
    capable = _near_best(big, [cpu.capacity for cpu in big], SAME_CAPACITY)
    return _near_best(capable, [cpu.max_mhz for cpu in capable], SAME_CLOCK)


def _near_best(cpus: Sequence[Cpu], speeds: Sequence[float | None], share: float) -> Sequence[Cpu]:
    known = [speed for speed in speeds if speed is not None]
    if len(known) < len(cpus) or not known:
        return cpus
    return [cpu for cpu, speed in zip(cpus, known, strict=True) if speed >= share * max(known)]


def _low_power_apart(cpus: list[Cpu]) -> list[Cpu]:
    """Meteor Lake lists its low-power efficiency cores among the atoms: a far lower clock tells them."""
    atoms = [cpu for cpu in cpus if cpu.hybrid == "atom"]
    usual = {cpu.number for cpu in _near_best(atoms, [cpu.max_mhz for cpu in atoms], SAME_CLOCK)}
    low = {cpu.number for cpu in atoms} - usual
    return [msgspec.structs.replace(cpu, hybrid="lowpower") if cpu.number in low else cpu for cpu in cpus]


def _cpu(root: Path, place: int, fields: dict[str, str], hybrid: str | None) -> Cpu:
    folder = f"sys/devices/system/cpu/cpu{place}"
    words = fields.get("Features") or fields.get("flags") or ""
    part = fields.get("CPU part")
    return Cpu(
        number=place,
        core=_core(root, folder, fields),
        name=core_name(fields.get("CPU implementer"), part) or fields.get("model name"),
        part=part,
        isa=tuple(words.split()),
        hybrid=hybrid,
        capacity=_number(root, f"{folder}/cpu_capacity"),
        min_mhz=_mhz(root, f"{folder}/cpufreq/cpuinfo_min_freq"),
        max_mhz=_mhz(root, f"{folder}/cpufreq/cpuinfo_max_freq"),
    )


def _core(root: Path, folder: str, fields: dict[str, str]) -> str:
    """What tells one core from another.

    The list of a core's threads, because core ids start again in every cluster of some boards.
    """
    for name in ("core_cpus_list", "thread_siblings_list"):
        threads = word_or_none(root, f"{folder}/topology/{name}")
        if threads:
            return threads
    if "core id" in fields:
        return f"core {fields['core id']} of package {fields.get('physical id')}"
    return folder


def _number(root: Path, name: str) -> int | None:
    try:
        return number(root, name)
    except UnreadableError:
        return None


def _mhz(root: Path, name: str) -> float | None:
    khz = _number(root, name)
    return None if khz is None else khz / 1000


def _cpu_list(text: str | None) -> set[int]:
    """The CPUs of a list such as `0-3,8`."""
    cpus: set[int] = set()
    for first, last in re.findall(r"(\d{1,5})(?:-(\d{1,5}))?", text or ""):
        cpus.update(range(int(first), int(last or first) + 1))
    return cpus


def _cpuinfo(root: Path) -> dict[int, dict[str, str]]:
    """The fields of /proc/cpuinfo by CPU number."""
    try:
        blocks = re.split(r"\n\s*\n", read_text(root, "proc/cpuinfo"))
    except UnreadableError:
        return {}
    tables = [dict(re.findall(r"^([^:\n]+?)\s*: *(.*?) *$", block, re.MULTILINE)) for block in blocks]
    return {
        int(table["processor"]): table
        for table in tables
        if re.fullmatch(r"\d{1,5}", table.get("processor", ""))
    }
