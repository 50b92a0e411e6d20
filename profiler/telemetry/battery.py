"""The power that discharging batteries give: all that the device takes, while nothing else feeds it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from profiler.host.kernel_files import UnreadableError, entries, number, word_or_none
from profiler.host.readings import SUPPLIES, batteries
from profiler.runfile import Sensor
from profiler.telemetry.kernel_meter import MILLIONTHS
from profiler.telemetry.protocol import Meter

ON_MAINS = "on mains: the battery gives no power"


class BatteryMeter:
    """One of the batteries of this machine. One that rests while another discharges gives 0 W."""

    def __init__(self, root: Path, battery: str, all_batteries: Sequence[str]) -> None:
        name = battery.rpartition("/")[2]
        self.sensor = Sensor(
            id=f"battery {name}", source="battery", name=name, scope="device", quantity="power"
        )
        self._root, self._battery, self._all = root, battery, all_batteries

    def read(self) -> float | None:
        """Watts now; None while no battery discharges, or one is charged."""
        if not discharging(self._root, self._all):
            return None
        if word_or_none(self._root, f"{self._battery}/status") != "Discharging":
            return 0.0
        try:
            return _watts(self._root, self._battery)
        except UnreadableError:
            return None

    def close(self) -> None:
        """Nothing to free."""


def meters(root: Path) -> Sequence[Meter]:
    """One for each battery. Raises `UnreadableError` on mains, and where a battery does not tell its power."""
    found = batteries(root)
    if not found:
        raise UnreadableError("battery: not offered here")
    if not discharging(root, found):
        raise UnreadableError(ON_MAINS)
    if _charger(root, found):
        raise UnreadableError("a charger is connected: the battery gives a part of the power only")
    for battery in found:
        if word_or_none(root, f"{battery}/status") == "Discharging" and _watts(root, battery) == 0:
            raise UnreadableError(f"{battery}: reads nothing")
    return [BatteryMeter(root, battery, found) for battery in found]


def discharging(root: Path, found: Sequence[str]) -> bool:
    """Whether these batteries feed the machine."""
    said = {word_or_none(root, f"{battery}/status") for battery in found}
    return "Discharging" in said and "Charging" not in said


def _charger(root: Path, found: Sequence[str]) -> bool:
    """Whether another supply of this machine says that it is online."""
    others = (supply for supply in entries(root, SUPPLIES, "*") if supply not in found)
    return any(
        word_or_none(root, f"{supply}/online") in ("1", "2")
        and word_or_none(root, f"{supply}/scope") != "Device"
        for supply in others
    )


def _watts(root: Path, battery: str) -> float:
    """power_now, or current x voltage; some batteries give a current that flows out a minus sign."""
    try:
        return abs(number(root, f"{battery}/power_now")) / MILLIONTHS
    except UnreadableError:
        amperes = abs(number(root, f"{battery}/current_now")) / MILLIONTHS
        return amperes * number(root, f"{battery}/voltage_now") / MILLIONTHS
