"""Clock of an Intel NPU, which shares its class of devices with others."""

from __future__ import annotations

from pathlib import Path

import pytest

from profiler.host.kernel_files import UnreadableError
from profiler.telemetry.intel_npu import clocks, clocks_asked
from tests.board_trees import files
from tests.host_trees import plant


def accelerator(root: Path, number: int = 0, /, **values: object) -> Path:
    own = {"uevent": "DRIVER=intel_vpu\nPCI_ID=8086:7D1D", "vendor": "0x8086"}
    return plant(root, files(f"sys/class/accel/accel{number}/device", **(own | values)))


def test_now_and_at_most(tmp_path: Path) -> None:
    root = accelerator(tmp_path, npu_current_frequency_mhz=950, npu_max_frequency_mhz=1400)
    assert clocks(root) == {"accel0": 950_000_000}
    assert clocks_asked(root) == {"accel0": 1_400_000_000}


def test_it_is_off_whenever_it_has_nothing_to_do(tmp_path: Path) -> None:
    root = accelerator(tmp_path, npu_current_frequency_mhz=0, npu_max_frequency_mhz=1400)
    assert clocks(root) == {"accel0": "off"}


@pytest.mark.parametrize(
    "other",
    [
        {"uevent": "DRIVER=amdxdna\nPCI_ID=1022:17F0", "vendor": "0x1022"},
        {"uevent": "DRIVER=amdxdna"},
        {"vendor": "0x1022"},
        {"uevent": ""},
        {"uevent": "MY_DRIVER=intel_vpu"},
        {"uevent": "DRIVER=intel_vpu_too"},
    ],
)
def test_another_makers(tmp_path: Path, other: dict[str, str]) -> None:
    root = accelerator(tmp_path, npu_current_frequency_mhz=950, npu_max_frequency_mhz=1400, **other)
    for read in (clocks, clocks_asked):
        with pytest.raises(UnreadableError, match=r"^Intel NPU: not offered here$"):
            read(root)


def test_beside_another_makers(tmp_path: Path) -> None:
    accelerator(tmp_path, 0, uevent="DRIVER=amdxdna", vendor="0x1022", npu_current_frequency_mhz=1)
    assert clocks(accelerator(tmp_path, 1, npu_current_frequency_mhz=950)) == {"accel1": 950_000_000}


def test_an_older_kernel_does_not_tell_the_clock(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="not offered here"):
        clocks(accelerator(tmp_path))


@pytest.mark.parametrize("said", ["<unknown>", "", "-950", "9999999999999999999", "200000", "\x00\xff"])
def test_a_clock_that_is_none(tmp_path: Path, said: str) -> None:
    with pytest.raises(UnreadableError, match="npu_current_frequency_mhz"):
        clocks(accelerator(tmp_path, npu_current_frequency_mhz=said))
