"""The CPUs of this machine: which core each belongs to, what it is, how fast it can be."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import msgspec

from profiler.host.kernel_files import UnreadableError, number, read_text, word_or_none

SAME_CLASS = 0.8
"""Cores at least this fast, as a share of the fastest, are of its class: copies of one core differ by up to
a tenth (binning, favoured cores); a little core has half the capacity or three quarters of the clock."""

_ARM_CORES = {
    "0xd03": "Cortex-A53",
    "0xd04": "Cortex-A35",
    "0xd05": "Cortex-A55",
    "0xd07": "Cortex-A57",
    "0xd08": "Cortex-A72",
    "0xd09": "Cortex-A73",
    "0xd0a": "Cortex-A75",
    "0xd0b": "Cortex-A76",
    "0xd0c": "Neoverse-N1",
    "0xd0d": "Cortex-A77",
    "0xd40": "Neoverse-V1",
    "0xd41": "Cortex-A78",
    "0xd42": "Cortex-A78AE",
    "0xd44": "Cortex-X1",
    "0xd46": "Cortex-A510",
    "0xd47": "Cortex-A710",
    "0xd48": "Cortex-X2",
    "0xd49": "Neoverse-N2",
    "0xd4b": "Cortex-A78C",
    "0xd4c": "Cortex-X1C",
    "0xd4d": "Cortex-A715",
    "0xd4e": "Cortex-X3",
}
"""`CPU part` of implementer 0x41 to core, from hrw/arm-socs-table, data/cpu_cores.yml."""


class Cpu(msgspec.Struct, frozen=True, kw_only=True):
    """One logical CPU. `core` is the same for all threads of a core; `hybrid` is Intel's `core` or `atom`."""

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
    core = _cpu_list(word_or_none(root, "sys/devices/cpu_core/cpus"))
    atom = _cpu_list(word_or_none(root, "sys/devices/cpu_atom/cpus"))
    hybrid = {**dict.fromkeys(core, "core"), **dict.fromkeys(atom, "atom")}
    return [_cpu(root, place, fields, hybrid.get(place)) for place, fields in sorted(_cpuinfo(root).items())]


def fastest(cpus: Sequence[Cpu]) -> Sequence[Cpu]:
    """The CPUs of the fastest class: Intel's performance cores, else by capacity and highest clock."""
    performance = [cpu for cpu in cpus if cpu.hybrid == "core"]
    if performance:
        return performance
    capable = _near_best(cpus, [cpu.capacity for cpu in cpus])
    return _near_best(capable, [cpu.max_mhz for cpu in capable])


def _near_best(cpus: Sequence[Cpu], speeds: Sequence[float | None]) -> Sequence[Cpu]:
    known = [speed for speed in speeds if speed is not None]
    if len(known) < len(cpus) or not known:
        return cpus
    return [cpu for cpu, speed in zip(cpus, known, strict=True) if speed >= SAME_CLASS * max(known)]


def _cpu(root: Path, place: int, fields: dict[str, str], hybrid: str | None) -> Cpu:
    folder = f"sys/devices/system/cpu/cpu{place}"
    words = fields.get("Features") or fields.get("flags") or ""
    part = fields.get("CPU part")
    return Cpu(
        number=place,
        core=_core(root, folder, fields),
        name=_core_name(fields.get("CPU implementer"), part) or fields.get("model name"),
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


def _core_name(implementer: str | None, part: str | None) -> str | None:
    if implementer == "0x41" and part:
        return _ARM_CORES.get(part)
    return "Oryon" if (implementer, part) == ("0x51", "0x001") else None


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
