"""Where the power comes from, and the supplies that prove nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from profiler.host.kernel_files import UnreadableError
from profiler.telemetry.supply import sources
from tests.board_trees import files
from tests.host_trees import laptop, plant

SUPPLIES = "sys/class/power_supply"


def test_a_laptop_on_battery(tmp_path: Path) -> None:
    assert sources(laptop(tmp_path)) == {"source": "battery"}


@pytest.mark.parametrize("status", ["Charging", "Full", "Not charging"])
def test_a_laptop_at_the_mains(tmp_path: Path, status: str) -> None:
    root = plant(tmp_path, files(f"{SUPPLIES}/BAT0", type="Battery", status=status))
    assert sources(root) == {"source": "mains"}


def test_a_desktop_that_describes_its_mains(tmp_path: Path) -> None:
    assert sources(plant(tmp_path, files(f"{SUPPLIES}/AC", type="Mains", online=1))) == {"source": "mains"}


@pytest.mark.parametrize("online", [0, 1])
def test_the_usb_supply_of_a_board_is_a_phantom(tmp_path: Path, online: int) -> None:
    phantom = files(f"{SUPPLIES}/tcpm-source-psy-4-0022", type="USB", online=online, voltage_now=0)
    with pytest.raises(UnreadableError, match="describes neither a battery nor the mains"):
        sources(plant(tmp_path, phantom))


def test_the_battery_of_a_mouse_drives_nothing(tmp_path: Path) -> None:
    mouse = files(f"{SUPPLIES}/hid-0", type="Battery", scope="Device", status="Discharging")
    with pytest.raises(UnreadableError, match="describes neither a battery nor the mains"):
        sources(plant(tmp_path, mouse))


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match=SUPPLIES):
        sources(tmp_path)
