"""The CPU's governor, and its clock as measured and as asked for (cpufreq).

Parts are policies: the cores that share a clock. A policy whose cores are all off tells nothing and is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from profiler.host.kernel_files import UnreadableError, word, word_or_none
from profiler.host.readings import policies
from profiler.telemetry.clocks import KHZ, hertz
from profiler.telemetry.parts import readable
from profiler.telemetry.protocol import Reader, Readings, Value

_CHOOSE_BY_THEMSELVES = ("intel_pstate", "amd-pstate-epp")
"""Drivers whose "powersave" is no fixed clock: the processor chooses (kernel documentation, intel_pstate)."""

_TELLS_THE_STATE_ASKED_FOR = "acpi-cpufreq"
"""The driver whose `cpuinfo_cur_freq` is the state asked for, without turbo; x86 measures for `scaling_cur_freq`."""


def governors(root: Path) -> Readings:
    return _each(root, lambda root, policy: word(root, f"{policy}/scaling_governor"))


def clocks(root: Path) -> Readings:
    """Hz of each policy as measured: `cpuinfo_cur_freq`, the hardware's own word, where it is there and may be read
    (root), else `scaling_cur_freq`: measured too on x86, elsewhere the last clock that was asked of the hardware."""
    return _each(root, _clock)


def clocks_asked(root: Path) -> Readings:
    """Hz that the governor asks for when the cores are busy: what a user has set, the lowest clock if the governor
    says so, else the highest that is allowed now."""
    return _each(root, _asked)


def _each(root: Path, read: Callable[[Path, str], Value]) -> Readings:
    named = ((policy.rpartition("/")[2], partial(read, root, policy)) for policy in policies(root))
    return readable(named, none="no policy of cpufreq tells anything")


def _clock(root: Path, policy: str) -> int:
    if word_or_none(root, f"{policy}/scaling_driver") != _TELLS_THE_STATE_ASKED_FOR:
        try:
            return hertz(root, f"{policy}/cpuinfo_cur_freq", KHZ)
        except UnreadableError:
            pass
    return hertz(root, f"{policy}/scaling_cur_freq", KHZ)


def _asked(root: Path, policy: str) -> int:
    governor = word_or_none(root, f"{policy}/scaling_governor")
    if governor == "userspace":
        return hertz(root, f"{policy}/scaling_setspeed", KHZ)
    chooses = word_or_none(root, f"{policy}/scaling_driver") in _CHOOSE_BY_THEMSELVES
    fixed_low = governor == "powersave" and not chooses
    return hertz(root, f"{policy}/{'scaling_min_freq' if fixed_low else 'scaling_max_freq'}", KHZ)


STATE: Mapping[str, Reader] = {
    "governor": governors,
    "cpu_clock": clocks,
    "cpu_clock_asked": clocks_asked,
}
