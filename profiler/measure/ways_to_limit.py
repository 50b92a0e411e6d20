"""Which way this user may limit the memory of a worker here: tried before anything is measured, or what to type."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from profiler.errors import UserError
from profiler.host.cgroup import cgroup_folders
from profiler.host.kernel_files import HERE, UnreadableError, number, read_text, word
from profiler.measure.memory_limit import (
    GROUP_V1,
    GROUP_V2,
    SCOPE,
    Way,
    limited_place,
    new_name,
    remove_abandoned,
    runtime_folder,
    scope_command,
)

_TELL = 'cat /proc/self/cgroup "/sys/fs/cgroup$(sed -n s/^0:://p /proc/self/cgroup)/memory.max"'
_TRIAL_S = 10.0
_LARGEST_PAGE = 65536
"""The kernel rounds a limit down to whole pages."""


def way_to_limit(limit_bytes: int, root: Path = HERE) -> Way:
    """The first way that works here, tried with a process. Raises `UserError` with what to type where none does."""
    if not sys.platform.startswith("linux"):
        raise UserError(
            "--memory-limit takes the control groups of Linux, which this system has not: run edgeprof in a Linux "
            "virtual machine of that memory"
        )
    reasons = ["no control group here hands the memory controller on"]
    for way in groups_offered(limit_bytes, root):
        remove_abandoned(way.parent)
        try:
            _try_group(way)
            return way
        except UserError as error:
            reasons.append(str(error))
        except (OSError, subprocess.SubprocessError) as error:
            reasons.append(f"a control group below {way.parent} takes no process: {_why(error)}")
    try:
        return _scope_offered(limit_bytes)
    except (OSError, subprocess.SubprocessError, UnreadableError) as error:
        reasons.append(f"systemd-run --user gives no limited scope: {_why(error)}")
    raise UserError(f"--memory-limit cannot be kept here ({_reason(reasons, root)}): {_advice(root)}")


def groups_offered(limit_bytes: int, root: Path) -> Iterator[Way]:
    """Control groups below which others can have a limit of memory, this process's own first, then those above."""
    for folder in cgroup_folders(root, "memory"):
        with contextlib.suppress(UnreadableError):
            if "memory" in word(root, f"{folder}/cgroup.subtree_control").split():
                yield Way(by=GROUP_V2, parent=root / folder, bytes=limit_bytes)
        with contextlib.suppress(UnreadableError):
            number(root, f"{folder}/memory.limit_in_bytes")
            yield Way(by=GROUP_V1, parent=root / folder, bytes=limit_bytes)


def _try_group(way: Way) -> None:
    """Raises `OSError` or `SubprocessError` where no process can be put into such a group."""
    with limited_place(way) as place:
        _output([*place.before, "true"])


def _scope_offered(limit_bytes: int) -> Way:
    """Tried with a process that tells its group and the limit in force: where the user manager has no memory
    controller, systemd makes the scope without a limit and says nothing.
    """
    if shutil.which("systemd-run") is None:
        raise UnreadableError("it is not installed")
    if not Path(runtime_folder(), "systemd").is_dir():
        raise UnreadableError("no user manager runs for this user")
    told = _output([*scope_command(new_name(), limit_bytes), "sh", "-c", _TELL]).split("\n")
    group = next((line[3:] for line in told if line.startswith("0::/")), "/")
    limit = next((int(line) for line in told if line.isdecimal()), None)
    if limit is None or not 0 <= limit_bytes - limit < _LARGEST_PAGE:
        raise UnreadableError("the scope it makes has no limit")
    return Way(by=SCOPE, parent=Path(f"/sys/fs/cgroup{group}").parent, bytes=limit_bytes)


def _output(command: list[str]) -> str:
    """What a command prints. Raises `OSError` or `SubprocessError`."""
    done = subprocess.run(
        command,
        check=True,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=_TRIAL_S,
        text=True,
        errors="replace",
    )
    return done.stdout


def _why(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        said = [line for line in str(error.stderr).splitlines() if line.strip()]
        return said[-1].strip()[:120] if said else f"exit status {error.returncode}"
    if isinstance(error, subprocess.TimeoutExpired):
        return f"no answer within {_TRIAL_S:g} s"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _reason(reasons: list[str], root: Path) -> str:
    if not _has_controller(root):
        return "this kernel offers no memory controller"
    return "; ".join(reasons[-2:])


def _has_controller(root: Path) -> bool:
    """Of v2 the root of the tree names it; v1 has a folder of its own."""
    with contextlib.suppress(UnreadableError):
        if "memory" in read_text(root, "sys/fs/cgroup/cgroup.controllers").split():
            return True
    return (root / "sys/fs/cgroup/memory").is_dir()


def _advice(root: Path) -> str:
    if not _has_controller(root):
        return (
            "on Raspberry Pi OS add cgroup_enable=memory to the line in /boot/firmware/cmdline.txt and restart; a "
            "container needs it from its host"
        )
    if os.getuid() == 0:
        return "give the container or the service its memory instead, as in docker run --memory 4g"
    return 'type sudo "$(command -v edgeprof)" run ..., or log in so that a user manager runs (loginctl enable-linger)'
