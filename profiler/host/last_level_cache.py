"""The size of the largest cache of the processor: what fits into it is read faster than memory.

A virtual machine sees the cache of its whole host, which it shares with guests that it does not see. What counts is
what a processor has for as many CPUs: those of servers mostly have 1 to 4 MiB for each thread. It is never less than
one small processor has, for the host may be idle.
"""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from profiler.host.confinement import hypervisor
from profiler.host.kernel_files import HERE, UnreadableError, word_or_none
from profiler.host.readings import cpus_total

_UNITS = {"K": 1024, "M": 1024**2, "G": 1024**3}
MOST_CACHES = 10
GUEST_BYTES_PER_CPU, LEAST_OF_GUEST = 4 * 1024**2, 32 * 1024**2


def last_level_cache(root: Path = HERE) -> int | None:
    """Bytes of the largest cache of the first processor, by the kernel's own files; None where they do not tell."""
    folder = "sys/devices/system/cpu/cpu0/cache"
    words = [word_or_none(root, f"{folder}/index{number}/size") for number in range(MOST_CACHES)]
    sizes = [re.fullmatch(r"(\d{1,9})([KMG])", word) for word in words if word]
    return max((int(size[1]) * _UNITS[size[2]] for size in sizes if size), default=None)


def cache_of_guest(root: Path = HERE) -> int | None:
    """Bytes of that cache which count in a virtual machine; None outside of one, and where all of it counts."""
    told, kind, cpus = last_level_cache(root), "none", 0
    with suppress(UnreadableError):
        kind, cpus = hypervisor(root), cpus_total(root)
    if told is None or kind == "none":
        return None
    share = max(GUEST_BYTES_PER_CPU * cpus, LEAST_OF_GUEST)
    return share if share < told else None
