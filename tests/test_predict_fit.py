"""The words of fit: fits, only with its file read again, does not fit, unknown, and why."""

from __future__ import annotations

import msgspec
import pytest

from profiler.catalogue.devices import Accelerator, DeviceProfile, Fact, Source
from profiler.catalogue.devices import Memory as MainMemory
from profiler.errors import UserError
from profiler.predicting.fit import Room, fit, room_of, targets
from profiler.predicting.prediction import Memory

GIB = 2**30
TAKES = Memory(
    weights_bytes=6 * GIB,
    kv_bytes=GIB,
    compute_bytes=GIB,
    touched_bytes=0,
    mapped_bytes=6 * GIB,
    held_bytes=0,
    rewritten_bytes=0,
    spare_bytes=0,
    process_bytes=0,
    total_bytes=7 * GIB,
    least_bytes=GIB,
    device_bytes=8 * GIB,
    source="a test",
)


def device(memory: int | None = 8 * GIB, own: int | None = None) -> DeviceProfile:
    def fact(value: int | None) -> Fact[int] | None:
        return None if value is None else Fact(value=value, source="s", confidence="H")

    return DeviceProfile(
        id="board",
        name="Board",
        version=1,
        kind="board",
        memory=MainMemory(bytes=fact(memory)),
        accelerators={"mali-g610": Accelerator(kind="gpu", memory_bytes=fact(own))},
        sources=(Source(id="s", what="a test"),),
        absent={"memory.bytes": "differs"} if memory is None else {},
    )


def room(gib: float, *, own: bool = False) -> Room:
    return Room(memory_bytes=16 * GIB, room_bytes=int(gib * GIB), why="so it is", own=own)


@pytest.mark.parametrize(
    ("gib", "word"), [(7, "fits"), (6.9, "fits_with_mmap"), (1, "fits_with_mmap"), (0.9, "does_not_fit")]
)
def test_by_what_must_stay_in_memory(gib: float, word: str) -> None:
    assert fit(TAKES, room(gib)).word == word


def test_from_the_disk_says_how_much_does_not_stay() -> None:
    assert (
        fit(TAKES, room(4)).beside == "3.0 GiB of the file do not stay in memory, so tokens wait for the disk"
    )


def test_pages_that_are_only_read_while_it_loads_need_no_room() -> None:
    found = fit(msgspec.structs.replace(TAKES, spare_bytes=2 * GIB), room(5))
    assert (found.word, found.needed_bytes) == ("fits", 5 * GIB)
    assert found.beside is not None
    assert "only while it loads" in found.beside


def test_of_a_lower_bound_only_what_does_not_fit_is_known() -> None:
    bound = msgspec.structs.replace(TAKES, lower_bound=True)
    assert fit(bound, room(16)).word == "unknown"
    assert fit(bound, room(0.5)).word == "does_not_fit"


def test_an_accelerator_holds_the_whole_compute_buffer() -> None:
    assert fit(TAKES, room(8, own=True)).word == "fits"
    assert fit(TAKES, room(7.9, own=True)).word == "does_not_fit"


def test_memory_that_is_not_known_is_unknown_and_says_why() -> None:
    found = fit(None, room(8), "the engine refuses it")
    assert (found.word, found.needed_bytes, found.beside) == ("unknown", None, "the engine refuses it")


def test_a_quarter_of_a_device_is_left_for_its_system() -> None:
    assert room_of(device(), "cpu").room_bytes == 6 * GIB


def test_this_machine_has_what_is_free_now() -> None:
    found = room_of(msgspec.structs.replace(device(), id="this"), "cpu")
    assert found.room_bytes is None or "free on this machine" in found.why


def test_a_device_whose_memory_is_not_known() -> None:
    with pytest.raises(UserError, match=r"the memory of device board is not known \(differs\)"):
        room_of(device(None), "cpu")


def test_an_accelerator_by_kind_or_name() -> None:
    assert targets(device()) == ["cpu", "gpu", "mali-g610"]
    for word in ("gpu", "mali-g610"):
        assert room_of(device(own=4 * GIB), word).room_bytes == 4 * GIB
    found = room_of(device(), "gpu")
    assert found.room_bytes is None
    assert fit(TAKES, found).word == "unknown"
    assert "not known of mali-g610" in found.why


def test_a_target_that_there_is_not() -> None:
    with pytest.raises(UserError, match="device board has no target 'npu': did you mean gpu or cpu"):
        room_of(device(), "npu")
