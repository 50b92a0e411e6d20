"""What a worker reads of its own memory at the ends of phases."""

from typing import Dict, Optional

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
