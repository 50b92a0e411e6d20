"""What a plan must know of the machine that it is made for: this one, or a board elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import msgspec

from profiler.catalogue.devices import DeviceProfile, load_device
from profiler.host.cpus import Cpu, read_cpus
from profiler.host.environment import environment
from profiler.host.kernel_files import HERE
from profiler.host.machine import available_memory, default_threads, this_machine
from profiler.measure.asking import THIS_MACHINE, Asking
from profiler.measure.worker_conditions import allowed_cpus
from profiler.runfile import THIS


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """Its profile, threads for engines, memory that is free, and its environment as it goes into the run file.

    `cpus` are those that workers may use; `board` is what its user calls it; `asking` is who knows of its engines.
    """

    profile: DeviceProfile
    threads: int
    cpus: Sequence[Cpu]
    available_bytes: int | None
    environment: dict[str, Any]
    board: str | None = None
    asking: Asking = THIS_MACHINE


def usable(root: Path, allowed: Collection[int]) -> list[Cpu]:
    """The CPUs below a root that are among these."""
    return [cpu for cpu in read_cpus(root) if cpu.number in allowed]


def here(device: str) -> Site:
    """This machine, by the profile that the user named. Raises `UserError` for one that there is none of."""
    return Site(
        profile=this_machine() if device == THIS else load_device(device),
        threads=default_threads(),
        cpus=usable(HERE, allowed_cpus()),
        available_bytes=available_memory().available_bytes,
        environment=msgspec.to_builtins(environment()),
    )
