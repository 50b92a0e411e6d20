"""Huge pages, the size of a page, and compressed swap."""

from __future__ import annotations

from pathlib import Path

import pytest

from profiler.host.kernel_files import UnreadableError
from profiler.telemetry.paging import huge_pages, zram_devices
from tests import machines
from tests.board_trees import files
from tests.host_trees import plant

TRANSPARENT = "sys/kernel/mm/transparent_hugepage/enabled"


def zram(root: Path, number: int, disksize: object, mm_stat: object) -> Path:
    return plant(root, files(f"sys/block/zram{number}", disksize=disksize, mm_stat=mm_stat))


def test_the_choice_and_both_sizes(tmp_path: Path) -> None:
    meminfo = "MemTotal: 8 kB\nHugePages_Total:      12\nHugepagesize:       2048 kB\n"
    root = plant(
        tmp_path, machines.pages(4) | {TRANSPARENT: "always [madvise] never\n", "proc/meminfo": meminfo}
    )
    assert huge_pages(root) == {
        "transparent": "madvise",
        "set aside": 12,
        "page bytes": 4096,
        "huge page bytes": 2 * 2**20,
    }


def test_a_raspberry_pi_5_with_pages_of_16_kib(tmp_path: Path) -> None:
    assert huge_pages(machines.raspberry_pi_5(tmp_path)) == {"set aside": 0, "page bytes": 16384}


@pytest.mark.parametrize("said", ["", "always madvise never", "[", "[\x1b]", "<unknown>"])
def test_a_choice_that_is_none(tmp_path: Path, said: str) -> None:
    root = plant(tmp_path, machines.pages(4) | {TRANSPARENT: said})
    assert huge_pages(root) == {"page bytes": 4096}


def test_all_zram_devices_together(tmp_path: Path) -> None:
    zram(tmp_path, 0, 536_854_528, "  104857600  20971520  22020096        0 22020096     12       0   0")
    zram(tmp_path, 1, 1_048_576, "0 0 4096 0 4096 0 0 0 0")
    assert zram_devices(tmp_path) == {"size": 537_903_104, "used": 22_024_192}


@pytest.mark.parametrize("said", ["", "<unknown>", "1 2", "1 2 x", f"1 2 {'9' * 19}", "-1 -2 -3"])
def test_what_it_takes_cannot_be_told(tmp_path: Path, said: str) -> None:
    assert zram_devices(zram(tmp_path, 0, 4096, said)) == {"size": 4096}


def test_a_size_that_is_none(tmp_path: Path) -> None:
    root = zram(tmp_path, 0, "<unknown>", "<unknown>")
    with pytest.raises(UnreadableError, match="sys/block/zram0/disksize: not a number"):
        zram_devices(root)


def test_no_zram(tmp_path: Path) -> None:
    (tmp_path / "sys/block").mkdir(parents=True)
    assert zram_devices(tmp_path) == {"size": 0}


def test_no_block_devices_to_see(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match=r"^sys/block: not offered here$"):
        zram_devices(tmp_path)
