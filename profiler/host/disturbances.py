"""What would disturb a measurement on this machine now, and what is worth knowing before one."""

from __future__ import annotations

import shutil
from pathlib import Path

from platformdirs import user_data_path

from profiler.host.counters import QUIET_SHARE, BusyNow
from profiler.host.environment import Environment
from profiler.host.finding import Finding

GIB = 2**30
LOW_MEMORY_BYTES = GIB
LOW_DISK_BYTES = GIB
MUCH_SWAP_BYTES = 64 * 2**20
USUAL_PAGE_BYTES = 4096

STEADY_CLOCK = "echo performance | sudo tee /sys/devices/system/cpu/cpufreq/policy*/scaling_governor"


def disturbances(here: Environment, busy: BusyNow) -> list[Finding]:
    """Findings `disturb.*`: `warn` for what would disturb, `ok` for what was looked at and does not."""
    found = (
        _processes(busy),
        _governor(here),
        _clock_limit(here),
        _power(here),
        _memory(here),
        _swap(here),
        _cpu_quota(here),
        _disk(),
    )
    return [finding for finding in found if finding is not None]


def notes(here: Environment) -> list[Finding]:
    """Findings `note.*`: settings that move numbers silently, and limits that a user may meet."""
    found = (_huge_pages(here), _page_size(here), _zram(here), _memory_limit(here), _memlock(), _telemetry())
    return [finding for finding in found if finding is not None]


def _processes(busy: BusyNow) -> Finding:
    code = "disturb.processes"
    if busy.foreign_share is None:
        return Finding(code=code, status="missing", seen="CPU use by others cannot be told")
    seen = f"others use {busy.foreign_share:.0%} of the CPU"
    if busy.foreign_share < QUIET_SHARE:
        return Finding(code=code, status="ok", seen=seen)
    return Finding(
        code=code,
        status="warn",
        seen=seen,
        why="one busy core can slow decoding several times",
        advice="Close them, or wait until they are done.",
    )


def _governor(here: Environment) -> Finding | None:
    code = "disturb.governor"
    if here.governors is None:
        return None
    seen = ", ".join(here.governors)
    if here.governors == ("performance",):
        return Finding(code=code, status="ok", seen=seen)
    why = "the clock sinks in pauses and climbs again during the first tokens"
    return Finding(code=code, status="warn", seen=seen, why=why, advice=STEADY_CLOCK)


def _clock_limit(here: Environment) -> Finding | None:
    if not here.mhz_limit or not here.mhz_max or here.mhz_limit == here.mhz_max:
        return None
    return Finding(
        code="disturb.clock_limit",
        status="warn",
        seen=f"clock capped at {max(here.mhz_limit)} of {max(here.mhz_max)} MHz",
        why="a power mode or a power saver holds the chip back",
        advice="Choose the power mode that you ship with.",
    )


def _power(here: Environment) -> Finding | None:
    code = "disturb.power"
    if here.power_source is None:
        return None
    if here.power_source == "mains":
        return Finding(code=code, status="ok", seen="on mains")
    charge = "" if here.battery_percent is None else f" ({here.battery_percent}%)"
    why = "power saving lowers the clock, more so as the charge falls"
    return Finding(code=code, status="warn", seen=f"on battery{charge}", why=why, advice="Plug it in.")


def _memory(here: Environment) -> Finding | None:
    code = "disturb.memory"
    if here.memory_available_bytes is None:
        return None
    seen = f"{_gib(here.memory_available_bytes)} of memory free"
    if here.memory_available_bytes >= LOW_MEMORY_BYTES:
        return Finding(code=code, status="ok", seen=seen)
    why = "a model that does not stay in memory is read again for every token"
    return Finding(
        code=code, status="warn", seen=seen, why=why, advice="Close programs or take a smaller build."
    )


def _swap(here: Environment) -> Finding | None:
    code = "disturb.swap"
    if here.swap_used_bytes is None:
        return None
    if here.swap_used_bytes < MUCH_SWAP_BYTES:
        return Finding(code=code, status="ok", seen="swap not in use")
    return Finding(
        code=code,
        status="warn",
        seen=f"{_gib(here.swap_used_bytes)} of swap in use",
        why="pages may come back from it during a pass",
        advice="sudo swapoff -a && sudo swapon -a",
    )


def _cpu_quota(here: Environment) -> Finding | None:
    if here.cgroup_cpus is None or here.cpus_allowed is None or here.cgroup_cpus >= here.cpus_allowed:
        return None
    whole = max(1, int(here.cgroup_cpus))
    return Finding(
        code="disturb.cpu_quota",
        status="warn",
        seen=f"limited to {here.cgroup_cpus:g} of {here.cpus_allowed} CPUs",
        why="more threads than that are stopped for tens of ms at a time",
        advice=f"edgeprof run --threads {whole}",
    )


def _disk() -> Finding | None:
    code = "disturb.disk"
    try:
        free = shutil.disk_usage(_existing(user_data_path("edgeprof"))).free
    except OSError:
        return None
    if free >= LOW_DISK_BYTES:
        return Finding(code=code, status="ok", seen=f"{_gib(free)} free for run files")
    why = "run files and fetched models go there"
    return Finding(
        code=code,
        status="warn",
        seen=f"{_gib(free)} free in the data folder",
        why=why,
        advice="Free some space, or write elsewhere with -o.",
    )


def _existing(folder: Path) -> Path:
    return next(place for place in (folder, *folder.parents) if place.exists())


def _huge_pages(here: Environment) -> Finding | None:
    if here.transparent_huge_pages is None:
        return None
    return Finding(
        code="note.huge_pages",
        status="info",
        seen=f"transparent huge pages: {here.transparent_huge_pages}",
        why="they move prefill and memory; they are recorded",
    )


def _page_size(here: Environment) -> Finding | None:
    if here.page_size_bytes in (None, USUAL_PAGE_BYTES):
        return None
    return Finding(
        code="note.page_size",
        status="info",
        seen=f"pages of {here.page_size_bytes} bytes",
        why="memory figures are coarser than with 4096",
    )


def _zram(here: Environment) -> Finding | None:
    if not here.zram_bytes:
        return None
    return Finding(
        code="note.zram",
        status="info",
        seen=f"{_gib(here.zram_bytes)} of compressed swap in memory (zram)",
        why="unpacking it costs CPU time when memory runs short",
    )


def _memory_limit(here: Environment) -> Finding | None:
    if here.cgroup_memory_bytes is None:
        return None
    return Finding(
        code="note.memory_limit",
        status="info",
        seen=f"this container may use {_gib(here.cgroup_memory_bytes)}",
        why="a larger model is killed; its file cache counts too",
    )


def _memlock() -> Finding | None:
    try:
        import resource
    except ImportError:
        return None
    limit, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if limit == resource.RLIM_INFINITY or limit > LOW_MEMORY_BYTES:
        return None
    return Finding(
        code="note.memlock",
        status="info",
        seen=f"at most {limit / 2**20:.0f} MiB may be locked in memory",
        why="the engines' mlock setting needs the size of the model",
        advice="ulimit -l unlimited",
    )


def _telemetry() -> Finding:
    return Finding(
        code="note.telemetry",
        status="info",
        seen="workers run with ORT_DISABLE_TELEMETRY=1",
        why="ONNX Runtime reports to its maker unless told not to",
    )


def _gib(size: int) -> str:
    return f"{size / GIB:.1f} GiB"
