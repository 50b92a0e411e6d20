"""The power mode that was chosen: NVIDIA's nvpmodel, the platform profile of laptops, what the CPU is to prefer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from profiler.host.kernel_files import LONGEST_WORD, UnreadableError, entries, word, word_or_none
from profiler.host.programs import output
from profiler.host.readings import CPU
from profiler.host.vendors import NVPMODEL
from profiler.telemetry.parts import readable
from profiler.telemetry.protocol import Reader, Readings

PROFILE = "sys/firmware/acpi/platform_profile"
PREFERENCE = "energy_performance_preference"


def power_modes(root: Path) -> Readings:
    """Words by who says them. A mode is what was asked for: the clocks tell what came of it."""
    parts = (
        ("nvpmodel", partial(_nvpmodel, root)),
        ("platform profile", partial(word, root, PROFILE)),
        ("CPU preference", partial(_preferences, root)),
    )
    return readable(parts, none="nvpmodel, a platform profile or a preference of the CPU: not offered here")


def _nvpmodel(root: Path) -> str:
    """ "25W (mode 1)": the numbers of the modes differ from board to board, so the name comes first."""
    said = re.search(r"^NV Power Mode: *(\S.*)$(?:\n(\d{1,4}) *$)?", output(root, NVPMODEL), re.MULTILINE)
    if not said:
        raise UnreadableError("nvpmodel: names no power mode")
    name = said[1].strip()[:LONGEST_WORD]
    return f"{name} (mode {said[2]})" if said[2] else name


def _preferences(root: Path) -> str:
    """What the processor weighs when it chooses its own clock, such as "balance_power"; of all policies together."""
    policies = entries(root, f"{CPU}/cpufreq", "policy*")
    found = {said for policy in policies if (said := word_or_none(root, f"{policy}/{PREFERENCE}"))}
    if not found:
        raise UnreadableError(f"{PREFERENCE}: not offered here")
    return ", ".join(sorted(found))[:LONGEST_WORD]


STATE: Mapping[str, Reader] = {"power_mode": power_modes}
