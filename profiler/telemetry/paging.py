"""What moves memory figures silently: huge pages, compressed swap."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from profiler.host.kernel_files import UnreadableError, entries, word
from profiler.host.readings import huge_page_bytes, huge_pages_total, page_size, transparent_huge_pages, zram
from profiler.telemetry.parts import readable
from profiler.telemetry.protocol import Reader, Readings


def huge_pages(root: Path) -> Readings:
    """The choice for transparent huge pages, how many huge pages are set aside, and the bytes of both kinds of page."""
    parts = (
        ("transparent", partial(transparent_huge_pages, root)),
        ("set aside", partial(huge_pages_total, root)),
        ("page bytes", partial(page_size, root)),
        ("huge page bytes", partial(huge_page_bytes, root)),
    )
    return readable(parts, none="no huge pages")


def zram_devices(root: Path) -> Readings:
    """Bytes of swap in all zram devices together, 0 where there are none, and the memory that they take for it."""
    parts = (("size", partial(zram, root)), ("used", partial(_all_used, root)))
    return readable(parts, none="sys/block: not offered here")


def _all_used(root: Path) -> int:
    devices = entries(root, "sys/block", "zram*")
    if not devices:
        raise UnreadableError("sys/block/zram*: not offered here")
    return sum(_used(root, device) for device in devices)


def _used(root: Path, device: str) -> int:
    """The third number: original bytes, compressed bytes, memory used (kernel documentation, zram)."""
    numbers = re.match(r"\d{1,18} +\d{1,18} +(\d{1,18})\b", word(root, f"{device}/mm_stat"), re.ASCII)
    if not numbers:
        raise UnreadableError(f"{device}/mm_stat: not a row of numbers")
    return int(numbers[1])


STATE: Mapping[str, Reader] = {"huge_pages": huge_pages, "zram": zram_devices}
