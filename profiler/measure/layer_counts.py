"""How many layers the shapes of a model get: whole periods, beyond the cache, within memory, apart enough for a line.

Source of the rules: a shape that fits the processor's cache is read faster than the model; one depth alone cannot tell
a layer from what stands beside the layers; a layer of a mix must be on average what a layer of the model is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from profiler.errors import UserError
from profiler.host.last_level_cache import cache_of_guest, last_level_cache
from profiler.host.machine import available_memory
from profiler.runfile import MOST_SHAPES

TIMES_CACHE = 3
ASSUMED_CACHE_BYTES = 32 * 1024**2
"""Of a processor that does not tell its cache."""

SHARE_OF_MEMORY = 0.75
MOST_BYTES_OFF = 0.01
COMFORTABLE_BYTES = 2 * 1024**3
"""Layers of more than this make a round of three shapes long: the third is left out."""


class Sized(msgspec.Struct, frozen=True, kw_only=True):
    """One shape: its file, its layers without embeddings, and by which share bytes per layer are off the model's."""

    file_bytes: int
    layer_bytes: int
    bytes_off: float


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """What a machine has for shapes; None where it does not tell.

    `host_cache_bytes` are told of a virtual machine, where `cache_bytes` are the share of them that counts.
    """

    memory_bytes: int | None
    disk_bytes: int
    cache_bytes: int | None
    host_cache_bytes: int | None = None

    @property
    def beyond_cache(self) -> int:
        """The fewest bytes of layers that are read from memory and not from the cache."""
        return TIMES_CACHE * (self.cache_bytes or ASSUMED_CACHE_BYTES)

    @property
    def assumed(self) -> str | None:
        """What is taken for granted of the cache, in a sentence."""
        if self.cache_bytes is None:
            return f"a last-level cache of {_mib(ASSUMED_CACHE_BYTES)}: the processor does not tell it"
        if self.host_cache_bytes is None:
            return None
        return (
            f"of the host's last-level cache of {_mib(self.host_cache_bytes)} this virtual machine has "
            f"{_mib(self.cache_bytes)}: on an idle host it may have more, and shapes may be read faster than the model"
        )


def room_of(root: Path, disk_bytes: int) -> Room:
    """That of the machine whose kernel files lie below a root."""
    return Room(
        memory_bytes=available_memory(root).available_bytes,
        disk_bytes=disk_bytes,
        cache_bytes=cache_of_guest(root) or last_level_cache(root),
        host_cache_bytes=last_level_cache(root) if cache_of_guest(root) else None,
    )


def chosen(name: str, sizes: Mapping[int, Sized], leading: int, layers: int, room: Room) -> list[int]:
    """Two or three numbers of layers, each twice the one before and the largest half of the model at most.

    `sizes` are the shapes that can be had, by number of layers. Raises `UserError` where the machine or the model is
    too small for any.
    """
    possible = [count for count in sorted(sizes) if not wrong(sizes[count], room)]
    for times in ((1, 2, 4), (1, 2)):
        fitting = [
            counts
            for first in possible
            if (counts := [leading + (first - leading) * n for n in times])
            and all(count in possible for count in counts)
            and counts[-1] - leading <= (layers - leading) // 2
        ]
        short = [counts for counts in fitting if sizes[counts[-1]].layer_bytes <= COMFORTABLE_BYTES]
        found = short[-1:] or (fitting[:1] if len(times) == 2 else [])
        if found:
            _check_disk(name, [sizes[count] for count in found[0]], room)
            return found[0]
    raise UserError(_none_fit(name, sizes, leading, room))


def check(
    name: str, counts: Sequence[int], sizes: Mapping[int, Sized], leading: int, room: Room
) -> list[str]:
    """What may be wrong with numbers of layers that were asked for, in clauses. Raises `UserError` for what no line
    can be drawn through, and for what does not fit."""
    asked = ",".join(map(str, counts))
    if not 2 <= len(counts) <= MOST_SHAPES or sorted(set(counts)) != list(counts):
        raise UserError(
            f"--layers {asked}: 2 to {MOST_SHAPES} rising numbers are accepted, such as 4,8: one alone makes no line"
        )
    if counts[-1] - leading < 2 * (counts[0] - leading):
        beside = f" beside the {leading} leading ones" if leading else ""
        raise UserError(
            f"--layers {asked}: the last must have at least twice the layers of the first{beside}"
        )
    too_large = _too_large(sizes[counts[-1]], room)
    if too_large:
        raise UserError(f"{name} with {counts[-1]} layers {too_large}: choose fewer --layers")
    _check_disk(name, [sizes[count] for count in counts], room)
    doubts = {counts[0]: _near_cache(sizes[counts[0]], room)}
    doubts |= {count: _off_mix(sizes[count]) or doubts.get(count) for count in counts}
    return [f"with {count} layers, {story}" for count, story in doubts.items() if story]


def _check_disk(name: str, shapes: Sequence[Sized], room: Room) -> None:
    total = sum(shape.file_bytes for shape in shapes)
    if total > room.disk_bytes:
        raise UserError(
            f"the shapes of {name} take {_gib(total)} of disk and {_gib(room.disk_bytes)} are free: make room, or "
            "choose fewer --layers"
        )


def wrong(shape: Sized, room: Room) -> str | None:
    """Why a shape must not be taken, as a clause."""
    return _too_large(shape, room) or _near_cache(shape, room) or _off_mix(shape)


def _too_large(shape: Sized, room: Room) -> str | None:
    most = None if room.memory_bytes is None else SHARE_OF_MEMORY * room.memory_bytes
    if most is None or shape.file_bytes <= most:
        return None
    return (
        f"takes {_gib(shape.file_bytes)}, more than {100 * SHARE_OF_MEMORY:.0f}% of the memory that is free"
    )


def _near_cache(shape: Sized, room: Room) -> str | None:
    if shape.layer_bytes >= room.beyond_cache:
        return None
    cache = room.cache_bytes or ASSUMED_CACHE_BYTES
    return (
        f"its layers are {_mib(shape.layer_bytes)}, less than {TIMES_CACHE} times the last-level cache of "
        f"{_mib(cache)}, and may be read faster than the model's"
    )


def _off_mix(shape: Sized) -> str | None:
    if abs(shape.bytes_off) <= MOST_BYTES_OFF:
        return None
    return f"a layer has {100 * shape.bytes_off:+.1f}% of bytes against the model's mean"


def _none_fit(name: str, sizes: Mapping[int, Sized], leading: int, room: Room) -> str:
    """Why no shapes are chosen: the smallest that may be taken is too large for a second, or there is none."""
    fitting = [count for count in sorted(sizes) if not _too_large(sizes[count], room)]
    if not fitting:
        return (
            f"no shape of {name} fits into the memory that is free here: fewer experts (--experts) or a smaller "
            "--quant take less"
        )
    possible = [count for count in fitting if not wrong(sizes[count], room)]
    if possible:
        twice = leading + 2 * (possible[0] - leading)
        why = (
            f"the smallest that may be taken has {possible[0]} layers, and one of {twice} is too much for the memory "
            "that is free, or for half of the model"
        )
    else:
        why = f"with {fitting[-1]} layers, {wrong(sizes[fitting[-1]], room)}"
    return (
        f"{name} has no two shapes to measure here ({why}): name them by --layers, with --force against a rule, "
        "or take fewer --experts or another --quant"
    )


def _gib(count: float) -> str:
    return f"{count / 2**30:.2f} GiB"


def _mib(count: float) -> str:
    return f"{count / 2**20:.0f} MiB"
