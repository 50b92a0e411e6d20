"""Whether a build fits into the memory that a target has: fits, only with its file read again and again, or not."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from profiler.analyse.amounts import size
from profiler.analyse.fits import SYSTEM_SHARE
from profiler.catalogue.devices import DeviceProfile
from profiler.errors import UserError, nearest
from profiler.host.machine import available_memory
from profiler.predicting.prediction import Fit, FitWord, Memory
from profiler.runfile import THIS

CPU = "cpu"


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """Memory that a target has, and how much of it a model may take, in bytes, and why. `own` is an accelerator's."""

    memory_bytes: int | None
    room_bytes: int | None
    why: str
    own: bool = False


def targets(device: DeviceProfile) -> list[str]:
    """The words that name a target of this device: the CPU, kinds of its accelerators, and their names."""
    kinds = dict.fromkeys(accelerator.kind for accelerator in device.accelerators.values())
    return [CPU, *kinds, *device.accelerators]


def room_of(device: DeviceProfile, target: str) -> Room:
    """The room on a target of a device. Raises `UserError` for a target that the device does not have."""
    if target not in targets(device):
        raise UserError(f"device {device.id} has no target {target!r}: {nearest(target, targets(device))}")
    if target != CPU:
        return _room_of_accelerator(device, target)
    if device.id == THIS:
        return _room_here()
    known = device.memory.bytes
    if known is None:
        why = device.absent.get("memory.bytes") or "its profile has none"
        raise UserError(
            f"the memory of device {device.id} is not known ({why}), so nothing fits or does not: choose another device"
        )
    return Room(
        memory_bytes=known.value,
        room_bytes=int(known.value * (1 - SYSTEM_SHARE)),
        why=f"{size(known.value)} of memory, {SYSTEM_SHARE:.0%} of it left for its system",
    )


def _room_here() -> Room:
    limit = available_memory()
    if limit.available_bytes is None:
        return Room(
            memory_bytes=limit.total_bytes, room_bytes=None, why="this machine does not say what is free"
        )
    by = " within its cgroup" if limit.limit_source == "cgroup" else ""
    return Room(
        memory_bytes=limit.total_bytes,
        room_bytes=limit.available_bytes,
        why=f"{size(limit.available_bytes)} are free on this machine now{by}",
    )


def _room_of_accelerator(device: DeviceProfile, target: str) -> Room:
    meant = {name: one for name, one in device.accelerators.items() if target in (name, one.kind)}
    known = {name: one.memory_bytes.value for name, one in meant.items() if one.memory_bytes is not None}
    if not known:
        name = next(iter(meant))
        reason = device.absent.get(f"accelerators.{name}.memory_bytes") or "its profile names none"
        return Room(
            memory_bytes=None,
            room_bytes=None,
            why=f"memory of its own is not known of {name}: {reason}",
            own=True,
        )
    name, most = max(known.items(), key=lambda item: item[1])
    return Room(memory_bytes=most, room_bytes=most, why=f"{size(most)} of memory on {name}", own=True)


def fit(memory: Memory | None, room: Room, why_not: str | None = None) -> Fit:
    """The word for this memory in this room; `why_not` is the reason where the memory is not known."""
    if memory is None:
        return replace(_fit("unknown", None, room, room.why), beside=why_not or "its memory is not known")
    needed = memory.device_bytes if room.own else memory.total_bytes - memory.spare_bytes
    if room.room_bytes is None:
        return _fit("unknown", needed, room, room.why)
    if room.own:
        return _fit("fits" if needed <= room.room_bytes else "does_not_fit", needed, room, room.why)
    return replace(
        _fit(_word(memory, room.room_bytes), needed, room, room.why), beside=_beside(memory, room.room_bytes)
    )


def _word(memory: Memory, room: int) -> FitWord:
    if memory.least_bytes > room:
        return "does_not_fit"
    if memory.lower_bound:
        return "unknown"
    return "fits" if memory.total_bytes - memory.spare_bytes <= room else "fits_with_mmap"


def _beside(memory: Memory, room: int) -> str | None:
    if memory.lower_bound or memory.total_bytes <= room or memory.least_bytes > room:
        return None
    if memory.total_bytes - memory.spare_bytes <= room:
        return f"{size(memory.spare_bytes)} of the mapped file may leave memory: they are read only while it loads"
    away = memory.total_bytes - memory.spare_bytes - room
    return f"{size(away)} of the file do not stay in memory, so tokens wait for the disk"


def _fit(word: FitWord, needed: int | None, room: Room, why: str) -> Fit:
    return Fit(
        word=word,
        needed_bytes=needed,
        memory_bytes=room.memory_bytes,
        room_bytes=room.room_bytes,
        room=why,
    )
