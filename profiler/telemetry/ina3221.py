"""The power sensors of Jetson boards (INA3221), by the labels of their rails.

Since JetPack 5 they are hwmon chips: of channels 1 to 3 the label, millivolts and milliamperes. Channels 4 to 7 are
voltages over the shunts and their sum: no rails. JetPack 4 has industrial I/O devices with milliwatts instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from profiler.host.kernel_files import UnreadableError, entries, number, word_or_none
from profiler.telemetry.gauge import Gauge
from profiler.telemetry.jetson_rails import UNCONNECTED, sensors
from profiler.telemetry.protocol import Meter

HWMON_CHANNELS, IIO_CHANNELS = (1, 2, 3), (0, 1, 2)


class Rail(msgspec.Struct, frozen=True):
    """Its label, how it is read, in watts, and how often there is something new."""

    label: str
    watts: Callable[[], float]
    period_s: float | None = None


def meters(root: Path) -> Sequence[Meter]:
    """One for each rail that can be read; of two with the same label the first."""
    rails: dict[str, Rail] = {}
    for rail in _rails(root):
        rails.setdefault(rail.label, rail)
    if not rails:
        raise UnreadableError("ina3221: not offered here")
    described = sensors("ina3221", {label: rail.period_s for label, rail in rails.items()})
    return [Gauge(sensor, rails[sensor.name].watts) for sensor in described]


def _rails(root: Path) -> list[Rail]:
    """Those of hwmon, else those of industrial I/O."""
    hwmon = [rail for chip in _hwmon_chips(root) for rail in _readable(_hwmon_rails(root, chip))]
    return hwmon or [rail for chip in _iio_chips(root) for rail in _readable(_iio_rails(root, chip))]


def _readable(rails: Iterator[Rail]) -> Iterator[Rail]:
    for rail in rails:
        with suppress(UnreadableError):
            rail.watts()
            yield rail


def _hwmon_rails(root: Path, chip: str) -> Iterator[Rail]:
    for channel in HWMON_CHANNELS:
        label = word_or_none(root, f"{chip}/in{channel}_label")
        if label and label.upper() != UNCONNECTED:
            yield Rail(label, _volts_times_amperes(root, chip, channel), _period_s(root, chip))


def _volts_times_amperes(root: Path, chip: str, channel: int) -> Callable[[], float]:
    volts, amperes = f"{chip}/in{channel}_input", f"{chip}/curr{channel}_input"
    return lambda: number(root, volts) / 1000 * number(root, amperes) / 1000


def _period_s(root: Path, chip: str) -> float | None:
    with suppress(UnreadableError):
        milliseconds = number(root, f"{chip}/update_interval")
        return milliseconds / 1000 if milliseconds > 0 else None
    return None


def _iio_rails(root: Path, chip: str) -> Iterator[Rail]:
    for channel in IIO_CHANNELS:
        label = word_or_none(root, f"{chip}/rail_name_{channel}")
        if label and label.upper() != UNCONNECTED:
            yield Rail(label, _milliwatts(root, f"{chip}/in_power{channel}_input"))


def _milliwatts(root: Path, name: str) -> Callable[[], float]:
    return lambda: number(root, name) / 1000


def _hwmon_chips(root: Path) -> list[str]:
    """By the class of all sensors, and by the driver: a chip found both ways has the same number in both."""
    found = entries(root, "sys/class/hwmon", "hwmon*")
    for device in entries(root, "sys/bus/i2c/drivers/ina3221", "*"):
        found += entries(root, f"{device}/hwmon", "hwmon*")
    return _once([chip for chip in found if word_or_none(root, f"{chip}/name") == "ina3221"])


def _iio_chips(root: Path) -> list[str]:
    found = entries(root, "sys/bus/iio/devices", "iio:device*")
    for device in entries(root, "sys/bus/i2c/drivers/ina3221x", "*"):
        found += entries(root, device, "iio:device*")
    return _once(found)


def _once(chips: list[str]) -> list[str]:
    by_number: dict[str, str] = {}
    for chip in chips:
        by_number.setdefault(chip.rpartition("/")[2], chip)
    return list(by_number.values())
