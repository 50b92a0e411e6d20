"""Power and energy that chips of many kinds tell (hwmon), except the INA3221, which has a file of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from profiler.host.kernel_files import UnreadableError, entries, number, word_or_none
from profiler.host.readings import SUPPLIES
from profiler.runfile import Sensor
from profiler.telemetry.chips import HWMON
from profiler.telemetry.kernel_meter import KernelMeter
from profiler.telemetry.protocol import Meter

ELSEWHERE = "ina3221"
PHANTOM = "tcpm_source_psy"
"""A USB-C port as a source of power: 0 V and 0 A with a plain supply, whatever the board takes."""

FILES = ("energy*_input", "power*_average", "power*_input")
QUANTITIES = {"energy": "energy", "power": "power"}


class _Known(msgspec.Struct, frozen=True):
    """What a chip's sensor covers; `label` is a pattern of the sensors that is said of."""

    scope: str
    label: str = ".*"
    note: str | None = None


UNKNOWN = _Known("part", note="what this sensor covers is not known")
CHIPS: Mapping[str, _Known] = {
    "amdgpu": _Known("gpu", note="where CPU and GPU share a chip, it covers both"),
    "amd_energy": _Known("package", "Esocket.*"),
    "fam15h_power": _Known("package"),
    "i915": _Known("gpu"),
    "xe": _Known("gpu", "card"),
    "nouveau": _Known("gpu"),
    "power_meter": _Known("board", note="an ACPI power meter: the firmware says what it covers"),
    "zenpower": _Known("part", note="one rail of the processor"),
}
"""By the name of the driver (Linux kernel documentation, hwmon and ABI of each)."""

SHARED_CHIP = _Known("package", note="CPU and GPU share this chip: it covers both")
"""amdgpu tells the voltage of a northbridge ("vddnb") only where the GPU is part of a processor (kernel, amdgpu_pm)."""


class _Feature(msgspec.Struct, frozen=True):
    """One sensor of a chip: `file` is what is read, such as power1_average."""

    folder: str
    chip: str
    file: str
    label: str | None

    @property
    def kind(self) -> str:
        """ "energy1" or "power1"."""
        return self.file.partition("_")[0]


def meters(root: Path) -> Sequence[Meter]:
    """Every sensor that reads something. Raises `UnreadableError` where there is none."""
    features = [feature for chip in entries(root, HWMON, "hwmon*") for feature in _features(root, chip)]
    if not features:
        raise UnreadableError("chips that tell power: not offered here")
    reasons = {feature: reason for feature in features if (reason := _refusal(root, feature))}
    if len(reasons) == len(features):
        raise UnreadableError(next(iter(reasons.values())))
    return [_meter(root, feature) for feature in features if feature not in reasons]


def _features(root: Path, folder: str) -> list[_Feature]:
    """The sensors of a chip, each once: its average is read rather than its value of the moment."""
    chip = word_or_none(root, f"{folder}/name") or ""
    if not chip or chip == ELSEWHERE or chip.startswith(PHANTOM) or _is_supply(root, chip):
        return []
    found: dict[str, _Feature] = {}
    for name in (name for pattern in FILES for name in entries(root, folder, pattern)):
        file = name.rpartition("/")[2]
        if re.fullmatch(r"(energy|power)\d{1,3}_(input|average)", file):
            label = word_or_none(root, f"{folder}/{file.partition('_')[0]}_label")
            feature = _Feature(folder, chip, file, label)
            found.setdefault(feature.kind, feature)
    return list(found.values())


def _is_supply(root: Path, chip: str) -> bool:
    """Batteries and chargers appear among the chips too, with _ for every other sign in their names."""
    names = (name.rpartition("/")[2] for name in entries(root, SUPPLIES, "*"))
    return chip in {re.sub(r"\W", "_", name) for name in names}


def _refusal(root: Path, feature: _Feature) -> str | None:
    """Why this sensor is no meter."""
    name = f"{feature.folder}/{feature.file}"
    try:
        value = number(root, name)
    except UnreadableError as reason:
        return str(reason)
    return None if value > 0 else f"{name} ({feature.chip}): reads nothing"


def _meter(root: Path, feature: _Feature) -> KernelMeter:
    known = _known(root, feature)
    what = feature.label or feature.kind
    sensor = Sensor(
        id=f"{feature.folder.rpartition('/')[2]} {feature.kind}",
        source=f"hwmon {feature.chip}",
        name=f"{feature.chip} {what}",
        scope=known.scope,
        quantity=QUANTITIES[feature.kind.rstrip("0123456789")],
        period_s=_period_s(root, feature),
        note=known.note,
    )
    return KernelMeter(sensor, root, f"{feature.folder}/{feature.file}")


def _known(root: Path, feature: _Feature) -> _Known:
    if feature.chip == "amdgpu" and word_or_none(root, f"{feature.folder}/in1_label") == "vddnb":
        return SHARED_CHIP
    known = CHIPS.get(feature.chip, UNKNOWN)
    return known if re.fullmatch(known.label, feature.label or "") else UNKNOWN


def _period_s(root: Path, feature: _Feature) -> float | None:
    """How often the chip has something new, where it says so: in milliseconds (kernel ABI, hwmon)."""
    for name in (f"{feature.file}_interval", "update_interval"):
        try:
            milliseconds = number(root, f"{feature.folder}/{name}")
        except UnreadableError:
            continue
        if milliseconds > 0:
            return milliseconds / 1000
    return None
