"""How a worker ended: from exit status, kernel counters and its last words to a typed failure."""

from __future__ import annotations

import re
import signal
from pathlib import Path

from profiler.host.cgroup import cgroup_folders
from profiler.runfile import Failure

_SIGNALS = {
    "SIGILL": (
        "the engine's library was built for another CPU (illegal instruction): reinstall it on this machine, "
        "or build it with GGML_NATIVE off"
    ),
    "SIGBUS": "the model file shrank or its disk failed while it was mapped (bus error)",
    "SIGSEGV": "the engine crashed (segmentation fault)",
    "SIGABRT": "the engine aborted",
    "SIGFPE": "the engine crashed (arithmetic error)",
    "SIGKILL": "something killed the worker, and the kernel's out-of-memory counters did not move",
}
KILLED = "the kernel's out-of-memory killer ended the worker"

_GROUP_COUNTERS = ("memory.events", "memory.oom_control")
"""Where a control group counts, in v2 and in v1."""

_UNPRINTABLE = re.compile(r"[^\x20-\x7e]+")
_FOLDERS = re.compile(r"(?<![\w.])(?:[A-Za-z]:)?[/\\](?=\S)(?:[^'\":]*[/\\])?")
"""From the root to the last separator before a quote or a colon: names of folders may hold blanks."""


def failure_of(
    status: int | None, *, stalled_s: float | None, oom_kills: int, last_words: str
) -> Failure | None:
    """The failure behind an exit status, or None for a clean end.

    `stalled_s` is set when the watchdog killed the worker; `oom_kills` is how far the kernel's counters moved.
    """
    if stalled_s is not None:
        return Failure(
            kind="timeout", message=f"no progress for {stalled_s:g} s (see --stall): the worker was stopped"
        )
    if status == 0:
        return None
    name = _signal_name(status)
    if name == "SIGKILL" and oom_kills > 0:
        return Failure(kind="out_of_memory", message=KILLED)
    what = _SIGNALS.get(name or "", f"the worker ended with {name or f'exit status {status}'}")
    return Failure(kind="crashed", message=_with_last_words(what, last_words))


def _signal_name(status: int | None) -> str | None:
    if status is None or status >= 0:
        return None
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"


def _with_last_words(what: str, last_words: str) -> str:
    lines = [line for line in last_words.splitlines() if line.strip()]
    return f"{what}: {printable(lines[-1])}" if lines else what


def printable(text: str, longest: int = 300) -> str:
    """A line from an engine, safe to keep and to show: without folders and control characters."""
    return _UNPRINTABLE.sub("?", _FOLDERS.sub("", text.strip()))[:longest]


def oom_kill_count(root: Path = Path("/")) -> int:
    """How many processes the kernel's out-of-memory killer has ended so far: of this machine and in our groups.

    A worker is in the control groups of this process. A process counted in several places is counted as often.
    """
    groups = (oom_kills_in(root / folder) for folder in cgroup_folders(root, "memory"))
    return sum(count or 0 for count in (_kills(root / "proc/vmstat"), *groups))


def oom_kills_in(group: Path) -> int | None:
    """The same in one control group and those below it; None where the kernel does not count them."""
    counts = (_kills(group / name) for name in _GROUP_COUNTERS)
    return next((count for count in counts if count is not None), None)


def _kills(counters: Path) -> int | None:
    try:
        text = counters.read_text("ascii", "replace")
    except OSError:
        return None
    found = re.search(r"^oom_kill (\d{1,19})$", text, re.MULTILINE | re.ASCII)
    return int(found[1]) if found else None
