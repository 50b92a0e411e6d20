"""The size of the largest cache of the processor: what fits into it is read faster than memory."""

from __future__ import annotations

import re
from pathlib import Path

from profiler.host.kernel_files import HERE, word_or_none

_UNITS = {"K": 1024, "M": 1024**2, "G": 1024**3}
MOST_CACHES = 10


def last_level_cache(root: Path = HERE) -> int | None:
    """Bytes of the largest cache of the first processor, by the kernel's own files; None where they do not tell."""
    folder = "sys/devices/system/cpu/cpu0/cache"
    words = [word_or_none(root, f"{folder}/index{number}/size") for number in range(MOST_CACHES)]
    sizes = [re.fullmatch(r"(\d{1,9})([KMG])", word) for word in words if word]
    return max((int(size[1]) * _UNITS[size[2]] for size in sizes if size), default=None)
