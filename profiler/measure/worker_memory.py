"""What a worker reads of its own memory at the ends of phases."""

import ctypes
import os
import re
from typing import Dict, FrozenSet, Optional

_ROLLUP = {
    "Pss": "pss_bytes",
    "Pss_Anon": "anon_bytes",
    "Pss_File": "file_bytes",
    "Pss_Shmem": "shmem_bytes",
    "SwapPss": "swapped_bytes",
}


_OF_BUILD = {"Pss": "build_bytes", "Rss": "build_rss_bytes"}
_MAPPING = re.compile(r"[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ \d+ *(.*)$")


def files_of(path: str) -> FrozenSet[str]:
    """The real paths of a build: one file, or all files of a folder, whose links may lead elsewhere."""
    if not os.path.isdir(path):
        return frozenset({os.path.realpath(path)})
    names = (os.path.join(folder, name) for folder, _, files in os.walk(path) for name in files)
    return frozenset(map(os.path.realpath, names))


def memory(build: FrozenSet[str] = frozenset()) -> Dict[str, Optional[int]]:
    """Bytes by the kernel's account, None where this system does not tell. Costs tens of milliseconds.

    `build_bytes` is the part of PSS that maps the files of `build`, `build_rss_bytes` the same not divided by users;
    `freed_bytes` is what the C library keeps of memory that was freed, for the next to ask.
    """
    names = (*_ROLLUP.values(), *_OF_BUILD.values(), "freed_bytes", "rss_bytes", "peak_rss_bytes")
    found = dict.fromkeys(names)  # type: Dict[str, Optional[int]]
    for key, size in _kilobytes("/proc/self/smaps_rollup").items():
        if key in _ROLLUP:
            found[_ROLLUP[key]] = size
    found.update(_mapped(build))
    found["freed_bytes"] = _freed()
    status = _kilobytes("/proc/self/status")
    found["rss_bytes"] = status.get("VmRSS")
    found["peak_rss_bytes"] = status.get("VmHWM") or _peak_elsewhere()
    return found


def anonymous() -> Optional[int]:
    """Bytes of this process that no file backs, in memory or swapped out, without freed ones that are only kept."""
    now = memory()
    if now["anon_bytes"] is None:
        return None
    return now["anon_bytes"] + (now["swapped_bytes"] or 0) - (now["freed_bytes"] or 0)


_MALLINFO2 = (
    "arena",
    "ordblks",
    "smblks",
    "hblks",
    "hblkhd",
    "usmblks",
    "fsmblks",
    "uordblks",
    "fordblks",
    "keepcost",
)


class _Mallinfo2(ctypes.Structure):
    """struct mallinfo2 of glibc 2.33 and later."""

    _fields_ = [(name, ctypes.c_size_t) for name in _MALLINFO2]


def _freed() -> Optional[int]:
    """Free bytes in all arenas of glibc's allocator; None with another C library."""
    try:
        mallinfo2 = ctypes.CDLL(None).mallinfo2
    except (AttributeError, OSError, TypeError):
        return None
    mallinfo2.restype = _Mallinfo2
    return int(mallinfo2().fordblks)


def _mapped(build: FrozenSet[str]) -> Dict[str, Optional[int]]:
    """Pss and Rss of the mappings of these files; a file that was replaced is still the build that was loaded."""
    sizes = dict.fromkeys(_OF_BUILD.values(), 0)
    try:
        with open("/proc/self/smaps", encoding="utf-8", errors="surrogateescape") as file:
            inside = False
            for line in file:
                mapping = _MAPPING.match(line)
                if mapping:
                    inside = mapping[1].replace(" (deleted)", "") in build
                elif inside and line[:4] in ("Pss:", "Rss:"):
                    sizes[_OF_BUILD[line[:3]]] += int(line.split()[1]) * 1024
    except OSError:
        return {}
    return dict(sizes)


def _kilobytes(path: str) -> Dict[str, int]:
    sizes = {}
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            for line in file:
                parts = line.split()
                if len(parts) == 3 and parts[2] == "kB":
                    sizes[parts[0].rstrip(":")] = int(parts[1]) * 1024
    except OSError:
        pass
    return sizes


def _peak_elsewhere() -> Optional[int]:
    """Peak resident set on macOS, where getrusage counts bytes."""
    try:
        import resource
        import sys
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak) if sys.platform == "darwin" else None
