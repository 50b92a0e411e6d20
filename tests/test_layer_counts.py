"""Which depths of layers the shapes of a model get on a machine with so much room."""

from __future__ import annotations

from pathlib import Path

import pytest

from profiler.errors import UserError
from profiler.host.last_level_cache import cache_of_guest, last_level_cache
from profiler.measure.layer_counts import Room, Sized, check, chosen

MIB = 1024**2
ROOM = Room(memory_bytes=16_000 * MIB, disk_bytes=100_000 * MIB, cache_bytes=32 * MIB)


def sizes(
    of: int, layer_mib: float, *, beside_mib: float = 1000, step: int = 1, first: int = 1, off: float = 0.0
) -> dict[int, Sized]:
    """Shapes of layers that are all of one size. One layer alone is `off` its model's mix, two are not."""
    return {
        count: Sized(
            file_bytes=round((beside_mib + count * layer_mib) * MIB),
            layer_bytes=round(count * layer_mib * MIB),
            bytes_off=off if count % 2 else 0.0,
        )
        for count in range(first, of, step)
    }


def pick(of: int, found: dict[int, Sized], leading: int = 0, room: Room = ROOM) -> list[int]:
    return chosen("model", found, leading, of, room)


class TestChosen:
    def test_of_a_small_model_three_up_to_half_of_it(self) -> None:
        assert pick(32, sizes(32, 60)) == [4, 8, 16]

    def test_of_a_large_one_two_of_few_layers(self) -> None:
        """80 layers of 600 MiB: two layers are comfortable, and four are not."""
        assert pick(80, sizes(80, 600)) == [1, 2]

    def test_a_layer_that_is_off_the_mix_is_left_out(self) -> None:
        assert pick(80, sizes(80, 500, off=0.1)) == [2, 4]

    def test_the_smallest_lies_beyond_the_cache(self) -> None:
        counts = pick(32, sizes(32, 20))
        assert counts[0] * 20 >= 3 * 32

    def test_a_cache_that_is_not_known_counts_as_one_of_32_mib(self) -> None:
        unknown = Room(memory_bytes=None, disk_bytes=100_000 * MIB, cache_bytes=None)
        assert pick(32, sizes(32, 20), room=unknown) == pick(32, sizes(32, 20))

    def test_the_largest_leaves_a_quarter_of_the_memory_free(self) -> None:
        """Two layers of 1,900 MiB and 1,000 beside them are 4,800 of 6,400."""
        little = Room(memory_bytes=6_500 * MIB, disk_bytes=100_000 * MIB, cache_bytes=32 * MIB)
        assert pick(126, sizes(126, 1900), room=little) == [1, 2]

    def test_whole_periods_and_leading_layers(self) -> None:
        assert pick(48, sizes(48, 100, step=4, first=4)) == [4, 8, 16]
        assert pick(61, sizes(61, 600, first=4), leading=3) == [4, 5]

    def test_a_model_that_lies_in_the_cache_is_refused(self) -> None:
        with pytest.raises(UserError, match="less than 3 times the last-level cache of 32 MiB"):
            pick(30, sizes(30, 2))

    def test_a_model_whose_smallest_shape_is_too_large_is_refused(self) -> None:
        with pytest.raises(UserError, match="no shape of model fits into the memory that is free here"):
            pick(61, sizes(61, 13_000))

    def test_a_disk_without_room_is_refused(self) -> None:
        full = Room(memory_bytes=16_000 * MIB, disk_bytes=100 * MIB, cache_bytes=32 * MIB)
        with pytest.raises(UserError, match=r"the shapes of model take .* of disk and 0.10 GiB are free"):
            pick(32, sizes(32, 60), room=full)


class TestCheck:
    def test_what_keeps_all_rules_has_no_doubt(self) -> None:
        assert check("model", [4, 8], sizes(32, 60), 0, ROOM) == []

    @pytest.mark.parametrize("counts", [[4], [8, 4], [4, 4], list(range(1, 10))])
    def test_numbers_that_make_no_line(self, counts: list[int]) -> None:
        with pytest.raises(UserError, match="2 to 8 rising numbers are accepted"):
            check("model", counts, sizes(32, 60), 0, ROOM)

    def test_numbers_that_lie_too_close(self) -> None:
        with pytest.raises(UserError, match="at least twice the layers of the first"):
            check("model", [4, 6], sizes(32, 60), 0, ROOM)
        with pytest.raises(UserError, match="beside the 3 leading ones"):
            check("model", [5, 6], sizes(32, 60), 3, ROOM)

    def test_what_does_not_fit(self) -> None:
        with pytest.raises(
            UserError, match=r"model with 8 layers takes 16\.60 GiB, more than 75% of the memory"
        ):
            check("model", [4, 8], sizes(32, 2000), 0, ROOM)

    def test_what_may_be_wrong_is_told_once_for_each_reason(self) -> None:
        assert check("model", [2, 5], sizes(32, 10, off=0.02), 0, ROOM) == [
            "with 2 layers, its layers are 20 MiB, less than 3 times the last-level cache of 32 MiB, and may be read "
            "faster than the model's",
            "with 5 layers, a layer has +2.0% of bytes against the model's mean",
        ]


class TestCache:
    def test_the_largest_of_the_first_processor(self, tmp_path: Path) -> None:
        for number, size in enumerate(("32K", "32K", "512K", "16M")):
            folder = tmp_path / f"sys/devices/system/cpu/cpu0/cache/index{number}"
            folder.mkdir(parents=True)
            (folder / "size").write_text(f"{size}\n")
        assert last_level_cache(tmp_path) == 16 * MIB

    def test_a_machine_that_does_not_tell(self, tmp_path: Path) -> None:
        assert last_level_cache(tmp_path) is None


class TestCacheOfGuest:
    @staticmethod
    def machine(root: Path, flags: str, cpus: int, cache: str) -> Path:
        """The kernel's files of a machine with so many CPUs."""
        files = {
            "proc/cpuinfo": f"flags\t\t: {flags}\n",
            "sys/devices/system/cpu/online": f"0-{cpus - 1}\n",
            "sys/devices/system/cpu/cpu0/cache/index3/size": f"{cache}\n",
        }
        for name, text in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        return root

    @pytest.mark.parametrize(("cpus", "counted"), [(2, 32), (8, 32), (16, 64), (200, None)])
    def test_a_guest_has_a_share_of_a_large_one(self, tmp_path: Path, cpus: int, counted: int | None) -> None:
        found = cache_of_guest(self.machine(tmp_path, "fpu hypervisor avx2", cpus, "480M"))
        assert found == (counted * MIB if counted is not None else None)

    def test_a_real_machine_and_a_small_cache_count_in_full(self, tmp_path: Path) -> None:
        assert cache_of_guest(self.machine(tmp_path / "real", "fpu avx2", 2, "480M")) is None
        assert cache_of_guest(self.machine(tmp_path / "small", "fpu hypervisor avx2", 2, "16M")) is None
        assert cache_of_guest(tmp_path / "silent") is None

    def test_what_is_assumed_is_said(self) -> None:
        assert ROOM.assumed is None
        guest = Room(memory_bytes=1, disk_bytes=1, cache_bytes=32 * MIB, host_cache_bytes=480 * MIB)
        assert guest.assumed is not None
        assert guest.assumed.startswith(
            "of the host's last-level cache of 480 MiB this virtual machine has 32 MiB"
        )
        silent = Room(memory_bytes=1, disk_bytes=1, cache_bytes=None)
        assert silent.assumed == "a last-level cache of 32 MiB: the processor does not tell it"
