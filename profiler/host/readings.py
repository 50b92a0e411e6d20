"""What the kernel's small text files say of this machine: one function per fact.

Each takes the root of the tree to read (`/`, or a constructed one); `UnreadableError` carries the reason.
No host name, user name, serial number or hardware address is read at all.
"""

from __future__ import annotations

import mmap
import platform
import re
from collections import Counter
from contextlib import suppress
from pathlib import Path

from profiler.host.cpus import read_cpus
from profiler.host.kernel_files import (
    LONGEST_WORD,
    UnreadableError,
    entries,
    field,
    is_there,
    number,
    read_text,
    word,
    word_or_none,
)

CPU = "sys/devices/system/cpu"
CLOCKSOURCE = "sys/devices/system/clocksource/clocksource0"
SUPPLIES = "sys/class/power_supply"

LONGEST_COMPATIBLE = 4096
ENOUGH_OF_SMAPS = 4096
"""Bytes of the memory map that certainly hold its first entry."""


def os_name(root: Path) -> str:
    return field(root, "etc/os-release", "PRETTY_NAME").strip('"')


def kernel_release(root: Path) -> str:
    return word_or_none(root, "proc/sys/kernel/osrelease") or platform.release()


def architecture(root: Path) -> str:
    return word_or_none(root, "proc/sys/kernel/arch") or platform.machine()


def compatible(root: Path) -> tuple[str, ...]:
    """The words of the device tree's compatible list, the most telling first; none where there is no tree."""
    try:
        return tuple(read_text(root, "proc/device-tree/compatible", LONGEST_COMPATIBLE).split())
    except UnreadableError:
        return ()


def cpu_model(root: Path) -> str:
    """The model, or how many of each where cores differ: "4 x Cortex-A55, 4 x Cortex-A76"."""
    names = Counter(cpu.name or f"core {cpu.part}" for cpu in read_cpus(root) if cpu.name or cpu.part)
    if not names:
        raise UnreadableError("proc/cpuinfo: names no CPU model")
    if len(names) == 1:
        return next(iter(names))[:LONGEST_WORD]
    return ", ".join(f"{count} x {name}" for name, count in names.items())[:LONGEST_WORD]


def cpus_allowed(root: Path) -> int:
    return _count_listed("proc/self/status", field(root, "proc/self/status", "Cpus_allowed_list"))


def cpus_total(root: Path) -> int:
    return _count_listed(f"{CPU}/online", word(root, f"{CPU}/online"))


def _count_listed(name: str, cpulist: str) -> int:
    if not re.fullmatch(r"\d{1,6}(-\d{1,6})?(,\d{1,6}(-\d{1,6})?)*", cpulist):
        raise UnreadableError(f"{name}: not a list of CPUs")
    spans = [span.split("-") for span in cpulist.split(",")]
    return sum(int(span[-1]) - int(span[0]) + 1 for span in spans)


def governors(root: Path) -> tuple[str, ...]:
    return tuple(sorted(set(policy_governors(root))))


def policy_governors(root: Path) -> tuple[str, ...]:
    return tuple(word(root, f"{policy}/scaling_governor") for policy in policies(root))


def mhz_now(root: Path) -> tuple[int, ...]:
    return _mhz(root, "scaling_cur_freq")


def mhz_limit(root: Path) -> tuple[int, ...]:
    return _mhz(root, "scaling_max_freq")


def mhz_max(root: Path) -> tuple[int, ...]:
    return _mhz(root, "cpuinfo_max_freq")


def _mhz(root: Path, name: str) -> tuple[int, ...]:
    return tuple(round(number(root, f"{policy}/{name}") / 1000) for policy in policies(root))


def policies(root: Path) -> list[str]:
    """The folders of cpufreq, one for the cores that share a clock."""
    found = entries(root, f"{CPU}/cpufreq", "policy*")
    if not found:
        raise UnreadableError("the kernel does not tell the clock (no cpufreq)")
    return found


def turbo(root: Path) -> bool:
    with suppress(UnreadableError):
        return number(root, f"{CPU}/intel_pstate/no_turbo") == 0
    return number(root, f"{CPU}/cpufreq/boost") == 1


def smt_active(root: Path) -> bool:
    return number(root, f"{CPU}/smt/active") == 1


def page_size(root: Path) -> int:
    """Bytes of a page of this process, by the kernel's account of its memory where there is one."""
    try:
        smaps = read_text(root, "proc/self/smaps", ENOUGH_OF_SMAPS)
    except UnreadableError:
        return mmap.PAGESIZE
    found = re.search(r"^KernelPageSize: *(\d{1,9}) kB$", smaps, re.MULTILINE)
    return int(found[1]) * 1024 if found else mmap.PAGESIZE


def huge_pages_total(root: Path) -> int:
    """Huge pages that are set aside for programs which ask for them."""
    value = field(root, "proc/meminfo", "HugePages_Total")
    if not re.fullmatch(r"\d{1,15}", value):
        raise UnreadableError("proc/meminfo: HugePages_Total is not a number")
    return int(value)


def huge_page_bytes(root: Path) -> int:
    return _kilobytes(root, "Hugepagesize")


def transparent_huge_pages(root: Path) -> str:
    chosen = re.search(r"\[(\w{1,20})\]", word(root, "sys/kernel/mm/transparent_hugepage/enabled"))
    if not chosen:
        raise UnreadableError("sys/kernel/mm/transparent_hugepage/enabled: names no choice")
    return chosen[1]


def memory_total(root: Path) -> int:
    return _kilobytes(root, "MemTotal")


def memory_available(root: Path) -> int:
    return _kilobytes(root, "MemAvailable")


def swap_total(root: Path) -> int:
    return _kilobytes(root, "SwapTotal")


def swap_used(root: Path) -> int:
    return _kilobytes(root, "SwapTotal") - _kilobytes(root, "SwapFree")


def _kilobytes(root: Path, key: str) -> int:
    value = re.fullmatch(r"(\d{1,15}) kB", field(root, "proc/meminfo", key))
    if not value:
        raise UnreadableError(f"proc/meminfo: {key} is not in kB")
    return int(value[1]) * 1024


def zram(root: Path) -> int:
    """Bytes of all zram devices that are set up."""
    if not is_there(root, "sys/block"):
        raise UnreadableError("sys/block: not offered here")
    return sum(number(root, f"{device}/disksize") for device in entries(root, "sys/block", "zram*"))


def batteries(root: Path) -> list[str]:
    """The batteries that drive this machine: not those of a mouse or a pen."""
    return [
        supply
        for supply in entries(root, SUPPLIES, "*")
        if word_or_none(root, f"{supply}/type") == "Battery"
        and word_or_none(root, f"{supply}/scope") != "Device"
    ]


def power_source(root: Path) -> str:
    """ "battery" or "mains". A USB supply alone proves nothing: boards list phantoms."""
    found = batteries(root)
    if found:
        discharging = any(word_or_none(root, f"{battery}/status") == "Discharging" for battery in found)
        return "battery" if discharging else "mains"
    for supply in entries(root, SUPPLIES, "*"):
        if word_or_none(root, f"{supply}/type") == "Mains" and number(root, f"{supply}/online") == 1:
            return "mains"
    raise UnreadableError(f"{SUPPLIES}: describes neither a battery nor the mains")


def battery_percent(root: Path) -> int:
    """Charge of the emptiest battery."""
    found = batteries(root)
    if not found:
        raise UnreadableError(f"{SUPPLIES}: describes no battery")
    return min(number(root, f"{battery}/capacity") for battery in found)


def temperatures(root: Path) -> dict[str, float]:
    """Degrees Celsius by zone type, the hottest of a type; readings that no chip can have are skipped."""
    found: dict[str, float] = {}
    for zone in entries(root, "sys/class/thermal", "thermal_zone*"):
        with suppress(UnreadableError):
            kind, degrees = word(root, f"{zone}/type"), number(root, f"{zone}/temp") / 1000
            if is_plausible(kind, degrees):
                found[kind] = max(degrees, found.get(kind, degrees))
    if not found:
        raise UnreadableError("no thermal zone gives a reading")
    return found


def is_plausible(kind: str, degrees: float) -> bool:
    """Whether a chip can have this temperature: sensors that are not there read -256, 0 or a placeholder."""
    placeholder = kind.lower().startswith("pmic") and degrees == 100
    return 0 < degrees < 125 and not placeholder


def clocksource(root: Path) -> str:
    return word(root, f"{CLOCKSOURCE}/current_clocksource")


def load_average(root: Path) -> tuple[float, ...]:
    """Runnable and blocked tasks, averaged over 1, 5 and 15 minutes."""
    found = re.match(r"(\d{1,9}\.\d+) (\d{1,9}\.\d+) (\d{1,9}\.\d+) ", word(root, "proc/loadavg"))
    if not found:
        raise UnreadableError("proc/loadavg: not three numbers")
    return tuple(float(value) for value in found.groups())
