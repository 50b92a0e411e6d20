"""What a worker reads of itself: memory at phase ends, and counters before and after a pass."""

import os
import time
from typing import Any, Dict, Optional

_ROLLUP = {"Pss": "pss_bytes", "Pss_Anon": "anon_bytes", "Pss_File": "file_bytes", "Pss_Shmem": "shmem_bytes"}


def memory() -> Dict[str, Optional[int]]:
    """Bytes by the kernel's account, None where this system does not tell. Costs tens of milliseconds."""
    found = dict.fromkeys((*_ROLLUP.values(), "rss_bytes", "peak_rss_bytes"))  # type: Dict[str, Optional[int]]
    for key, size in _kilobytes("/proc/self/smaps_rollup").items():
        if key in _ROLLUP:
            found[_ROLLUP[key]] = size
    status = _kilobytes("/proc/self/status")
    found["rss_bytes"] = status.get("VmRSS")
    found["peak_rss_bytes"] = status.get("VmHWM") or _peak_elsewhere()
    return found


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


def counters() -> Dict[str, Optional[int]]:
    """Counters that the kernel keeps anyway, in nanoseconds and events; a few microseconds."""
    found = {"own_cpu_ns": time.process_time_ns()}  # type: Dict[str, Optional[int]]
    found.update(_usage())
    found.update(_machine())
    return found


def _usage() -> Dict[str, Optional[int]]:
    try:
        import resource
    except ImportError:
        return {}
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "major_faults": used.ru_majflt,
        "minor_faults": used.ru_minflt,
        "involuntary_switches": used.ru_nivcsw,
    }


def _machine() -> Dict[str, Optional[int]]:
    """Busy and stolen time of all CPUs from the first line of /proc/stat (10 ms ticks)."""
    try:
        with open("/proc/stat", "rb") as file:
            ticks = [int(word) for word in file.readline().split()[1:9]]
        tick_ns = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, AttributeError):
        return {"busy_ns": None, "steal_ns": None}
    user, nice, system, _, _, interrupt, soft, steal = ticks
    return {"busy_ns": (user + nice + system + interrupt + soft) * tick_ns, "steal_ns": steal * tick_ns}


def difference(before: Dict[str, Optional[int]], after: Dict[str, Optional[int]]) -> Dict[str, Any]:
    """How far each counter moved; None where either reading is missing."""
    moved = {}
    for name, first in before.items():
        last = after.get(name)
        moved[name] = None if first is None or last is None else last - first
    return moved
