"""Clocks of GPU, NPU and memory, known by the names of their devices."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from profiler.host.kernel_files import UnreadableError
from profiler.telemetry.devfreq import STATE
from profiler.telemetry.protocol import Readings
from tests.board_trees import DEVFREQ, files, orin_nano, rock_5b
from tests.host_trees import plant
from tests.rights import closed, open_folder


def device(root: Path, name: str, **values: object) -> Path:
    return plant(root, files(f"{DEVFREQ}/{name}", **values))


def read(topic: str, root: Path) -> Readings:
    return STATE[topic](root)


def test_an_rk3588(tmp_path: Path) -> None:
    root = rock_5b(tmp_path)
    assert {topic: reader(root) for topic, reader in STATE.items()} == {
        "gpu_clock": {"fb000000.gpu": 300_000_000},
        "gpu_clock_asked": {"fb000000.gpu": 1_000_000_000},
        "npu_clock": {"fdab0000.npu": 1_000_000_000},
        "npu_clock_asked": {"fdab0000.npu": 1_000_000_000},
        "dram_clock": {"dmc": 528_000_000},
        "gpu_load": {"fb000000.gpu": 0.07},
    }


def test_an_orin_nano_whose_gpu_is_held_below_its_mode(tmp_path: Path) -> None:
    root = orin_nano(tmp_path)
    assert read("gpu_clock", root) == {"17000000.gpu": 306_000_000}
    assert read("gpu_clock_asked", root) == {"17000000.gpu": 624_750_000}
    assert read("gpu_load", root) == {"17000000.gpu": 0.123}
    with pytest.raises(UnreadableError, match="DRAM in sys/class/devfreq: not offered here"):
        read("dram_clock", root)


@pytest.mark.parametrize(
    ("name", "topic"),
    [
        ("17000000.ga10b", "gpu_clock"),
        ("17000000.gv11b", "gpu_clock"),
        ("57000000.gpu", "gpu_clock"),
        ("gpu-gpc-0", "gpu_clock"),
        ("e82c0000.mali", "gpu_clock"),
        ("3d00000.gpu", "gpu_clock"),
        ("5000000.qcom,kgsl-3d0", "gpu_clock"),
        ("fde40000.npu", "npu_clock"),
        ("15880000.nvdla0", "npu_clock"),
        ("bwmgr", "dram_clock"),
        ("3d400000.memory-controller", "dram_clock"),
    ],
)
def test_a_device_is_one_kind_only(tmp_path: Path, name: str, topic: str) -> None:
    root = device(tmp_path, name, cur_freq=800_000_000)
    assert read(topic, root) == {name: 800_000_000}
    for other in {"gpu_clock", "npu_clock", "dram_clock"} - {topic}:
        with pytest.raises(UnreadableError, match="not offered here"):
            read(other, root)


@pytest.mark.parametrize(
    "name", ["gpu-nvd-0", "15340000.vic", "154c0000.nvenc", "soc:bus-mif", "fdc38100.rkvdec"]
)
def test_devices_of_other_kinds(tmp_path: Path, name: str) -> None:
    root = device(tmp_path, name, cur_freq=800_000_000, load="7@800000000Hz")
    for topic in STATE:
        with pytest.raises(UnreadableError, match="not offered here"):
            read(topic, root)


@pytest.mark.parametrize("governor", ["userspace", "powersave"])
def test_a_clock_that_no_governor_changes(tmp_path: Path, governor: str) -> None:
    values = {"target_freq": 300_000_000, "max_freq": 900_000_000}
    root = device(tmp_path, "fb000000.gpu", governor=governor, **values)
    assert read("gpu_clock_asked", root) == {"fb000000.gpu": 300_000_000}


def test_a_device_that_its_driver_has_stopped(tmp_path: Path) -> None:
    root = device(tmp_path, "17000000.gpu", cur_freq=0, max_freq=0)
    assert read("gpu_clock", root) == {"17000000.gpu": "off"}
    with pytest.raises(UnreadableError, match="max_freq: tells no clock"):
        read("gpu_clock_asked", root)


@pytest.mark.parametrize("said", ["<unknown>", "", "-1", "1e9", "9999999999999999999", "\x00\xfe\x1b[2J"])
def test_a_clock_that_is_none(tmp_path: Path, said: str) -> None:
    with pytest.raises(UnreadableError, match=r"fdab0000\.npu/cur_freq"):
        read("npu_clock", device(tmp_path, "fdab0000.npu", cur_freq=said))


@pytest.mark.parametrize(
    ("said", "share"), [("0@300000000Hz", 0.0), ("100@1000000000Hz", 1.0), ("7@300000000Hz", 0.07)]
)
def test_the_load_that_rockchip_tells_in_percent(tmp_path: Path, said: str, share: float) -> None:
    assert read("gpu_load", device(tmp_path, "fb000000.gpu", load=said)) == {"fb000000.gpu": share}


@pytest.mark.parametrize(
    "said", ["101@300000000Hz", "7", "7@", "@300000000Hz", "-7@300000000Hz", "7%@3Hz", "\u0667@3Hz"]
)
def test_a_load_that_is_none(tmp_path: Path, said: str) -> None:
    with pytest.raises(UnreadableError, match=r"fb000000\.gpu/load"):
        read("gpu_load", device(tmp_path, "fb000000.gpu", load=said))


@pytest.mark.parametrize("said", ["1001", "-1", "12%", ""])
def test_a_load_in_per_mille_that_is_none(tmp_path: Path, said: str) -> None:
    with pytest.raises(UnreadableError, match=r"17000000\.gpu/device/load"):
        read("gpu_load", device(tmp_path, "17000000.gpu", device__load=said))


@pytest.mark.skipif(sys.platform == "win32", reason="rights of POSIX")
def test_a_load_that_is_for_root() -> None:
    """Some kernels close it: that nothing is offered would not be true."""
    with open_folder() as root:
        device(root, "fb000000.gpu", load="7@300000000Hz", cur_freq=300_000_000)
        with closed(root / DEVFREQ / "fb000000.gpu/load"):
            assert read("gpu_clock", root) == {"fb000000.gpu": 300_000_000}
            with pytest.raises(UnreadableError, match=r"fb000000\.gpu/load: needs more rights"):
                read("gpu_load", root)


def test_a_device_whose_name_no_kernel_gives(tmp_path: Path) -> None:
    root = device(tmp_path, "\x1b[31m.gpu", cur_freq=800_000_000)
    with pytest.raises(UnreadableError, match="GPU in sys/class/devfreq: not offered here"):
        read("gpu_clock", root)
