"""The power mode, by who says it."""

from __future__ import annotations

from pathlib import Path

import pytest

from profiler.host.kernel_files import UnreadableError
from profiler.telemetry.power_mode import power_modes
from tests.board_trees import laptop, orin_nano, policy
from tests.host_trees import plant

SAID = "outputs/nvpmodel.txt"


def test_a_jetson(tmp_path: Path) -> None:
    assert power_modes(orin_nano(tmp_path)) == {"nvpmodel": "25W (mode 1)"}


@pytest.mark.parametrize(
    ("said", "mode"),
    [
        ("NV Power Mode: MAXN_SUPER\n2\n", "MAXN_SUPER (mode 2)"),
        ("NV Fan Mode:quiet\nNV Power Mode: MAXN\n0\n", "MAXN (mode 0)"),
        ("NV Power Mode: MODE 15W\n", "MODE 15W"),
        ("NV Power Mode: 25W\nand then\n", "25W"),
    ],
)
def test_what_nvpmodel_prints(tmp_path: Path, said: str, mode: str) -> None:
    assert power_modes(plant(tmp_path, {SAID: said})) == {"nvpmodel": mode}


@pytest.mark.parametrize(
    "said", ["", "NVPM ERROR: Error opening /var/lib\n", "NV Power Mode:\n1\n", "25W\n1\n"]
)
def test_an_nvpmodel_that_names_no_mode(tmp_path: Path, said: str) -> None:
    with pytest.raises(UnreadableError, match="nvpmodel: names no power mode"):
        power_modes(plant(tmp_path, {SAID: said}))


def test_a_mode_of_a_stranger_is_short_and_printable(tmp_path: Path) -> None:
    found = power_modes(plant(tmp_path, {SAID: f"NV Power Mode: \x1b[2J{'x' * 5000}\n1\n"}))
    assert found == {"nvpmodel": f"[2J{'x' * 117} (mode 1)"}


def test_a_laptop(tmp_path: Path) -> None:
    assert power_modes(laptop(tmp_path)) == {"platform profile": "low-power", "CPU preference": "power"}


def test_cores_with_different_preferences(tmp_path: Path) -> None:
    files = policy(0, energy_performance_preference="performance")
    files |= policy(1, energy_performance_preference="balance_power") | policy(
        2, scaling_governor="powersave"
    )
    assert power_modes(plant(tmp_path, files)) == {"CPU preference": "balance_power, performance"}


def test_none(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match=r"nvpmodel, .*: not offered here"):
        power_modes(tmp_path)
