"""Counters that the kernel keeps anyway, read before and after a pass: ours, the machine's, and what others do."""

import os
import time
from typing import Any, Dict, Optional

Counters = Dict[str, Optional[int]]

_PRESSURE = ("cpu", "memory", "io")
_SWAP = {b"pswpin": "swapped_in_pages", b"pswpout": "swapped_out_pages"}


def counters() -> Counters:
    """Nanoseconds and events so far, None where this system does not tell; some tens of microseconds."""
    found = {"own_cpu_ns": time.process_time_ns()}  # type: Counters
    found.update(_usage())
    found.update(_machine())
    found.update(_pressure())
    found.update(_swap())
    return found


def _usage() -> Counters:
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


def _machine() -> Counters:
    """Busy and stolen time of all CPUs from the first line of /proc/stat (10 ms ticks)."""
    try:
        with open("/proc/stat", "rb") as file:
            ticks = [int(word) for word in file.readline().split()[1:9]]
        tick_ns = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, AttributeError):
        return {"busy_ns": None, "steal_ns": None}
    user, nice, system, _, _, interrupt, soft, steal = ticks
    return {"busy_ns": (user + nice + system + interrupt + soft) * tick_ns, "steal_ns": steal * tick_ns}


def _pressure() -> Counters:
    """For how long some task has waited for CPU, memory or a disk, since start-up (pressure stall information)."""
    return {f"{name}_pressure_ns": _stalled_ns(f"/proc/pressure/{name}") for name in _PRESSURE}


def _stalled_ns(path: str) -> Optional[int]:
    """The total of the line `some avg10=0.00 avg60=0.00 avg300=0.00 total=MICROSECONDS`."""
    try:
        with open(path, "rb") as file:
            return int(file.readline().rpartition(b"total=")[2]) * 1000
    except (OSError, ValueError):
        return None


def _swap() -> Counters:
    """Pages that all processes have read from swap and written to it, since start-up."""
    found = dict.fromkeys(_SWAP.values())  # type: Counters
    try:
        with open("/proc/vmstat", "rb") as file:
            for line in file:
                name, _, count = line.partition(b" ")
                if name in _SWAP:
                    found[_SWAP[name]] = int(count)
    except (OSError, ValueError):
        pass
    return found


def difference(before: Counters, after: Counters) -> Dict[str, Any]:
    """How far each counter moved; None where either reading is missing."""
    moved = {}
    for name, first in before.items():
        last = after.get(name)
        moved[name] = None if first is None or last is None else last - first
    return moved
