"""What this process is confined in: cgroup limits, a virtual machine, a container."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from profiler.host.cgroup import cgroup_folders, memory_rooms
from profiler.host.kernel_files import UnreadableError, field, is_there, read_text, word

UNLIMITED_BYTES = 2**60
"""A cgroup v1 memory limit from here on means that none is set."""

CLOCKSOURCE = "sys/devices/system/clocksource/clocksource0"

HYPERVISOR_SIGNS = (
    ("proc/sys/kernel/osrelease", "microsoft", "wsl2"),
    ("sys/hypervisor/type", "xen", "xen"),
    ("proc/device-tree/hypervisor/compatible", "kvm", "kvm"),
    (f"{CLOCKSOURCE}/available_clocksource", "kvm-clock", "kvm"),
    (f"{CLOCKSOURCE}/available_clocksource", "hyperv", "hyper-v"),
    ("sys/class/dmi/id/product_name", "kvm", "kvm"),
    ("sys/class/dmi/id/product_name", "vmware", "vmware"),
    ("sys/class/dmi/id/product_name", "virtualbox", "virtualbox"),
    ("sys/class/dmi/id/product_name", "virtual machine", "hyper-v"),
    ("sys/class/dmi/id/sys_vendor", "qemu", "qemu"),
    ("proc/cpuinfo", " hypervisor", "unknown kind"),
)
"""File, what it contains in a guest, and the name of that hypervisor; the most telling first."""

CONTAINER_SIGNS = ("docker", "kubepods", "libpod", "containerd", "lxc")


def cgroup_cpus(root: Path) -> float:
    """The CPU quota in cores: the smallest of this process's cgroup and those above it."""
    quotas = [cores for folder in cgroup_folders(root, "cpu") if (cores := _quota(root, folder)) is not None]
    if not quotas:
        raise UnreadableError("no limit is set")
    return min(quotas)


def cgroup_memory(root: Path) -> int:
    """The memory limit in bytes: the smallest of this process's cgroup and those above it."""
    limits = [limit for limit, _room in memory_rooms(root) if limit < UNLIMITED_BYTES]
    if not limits:
        raise UnreadableError("no limit is set")
    return min(limits)


def _quota(root: Path, folder: str) -> float | None:
    quota, period = "", ""
    with suppress(UnreadableError):
        quota, period = f"{word(root, f'{folder}/cpu.max')} ".split(" ")[:2]
    with suppress(UnreadableError):
        quota, period = word(root, f"{folder}/cpu.cfs_quota_us"), word(root, f"{folder}/cpu.cfs_period_us")
    both = re.fullmatch(r"(\d{1,15}) ([1-9]\d{0,14})", f"{quota} {period}")
    return int(both[1]) / int(both[2]) if both else None


def hypervisor(root: Path) -> str:
    """The kind of virtual machine this is, as far as it shows; "none" only where its absence shows."""
    for name, sign, kind in HYPERVISOR_SIGNS:
        with suppress(UnreadableError):
            if sign in read_text(root, name).lower():
                return kind
    field(root, "proc/cpuinfo", "flags")
    return "none"


def container(root: Path) -> str:
    """The kind of container this is, as far as it shows, or "none"."""
    if is_there(root, ".dockerenv"):
        return "docker"
    if is_there(root, "run/.containerenv"):
        return "podman"
    with suppress(UnreadableError):
        return word(root, "run/systemd/container")
    groups = read_text(root, "proc/1/cgroup")
    return next((sign for sign in CONTAINER_SIGNS if sign in groups), "none")
