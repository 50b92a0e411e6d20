"""The sensors of all chips that the kernel lists (hwmon), by the names of the chips: their numbers move."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from profiler.host.kernel_files import entries, word_or_none

HWMON = "sys/class/hwmon"


class Input(msgspec.Struct, frozen=True, kw_only=True):
    """One sensor: the name of its chip, its label (None where it has none), its own name such as temp1, its file."""

    chip: str
    label: str | None
    own: str
    file: str

    @property
    def name(self) -> str:
        return f"{self.chip} {self.label or self.own}"


def inputs(root: Path, kind: str) -> Iterator[Input]:
    """All sensors of a kind, "temp" or "fan", chip by chip."""
    for folder in entries(root, HWMON, "hwmon*"):
        chip = word_or_none(root, f"{folder}/name") or "nameless"
        for file in entries(root, folder, f"{kind}[0-9]*_input"):
            sensor = file.removesuffix("_input")
            label = word_or_none(root, f"{sensor}_label")
            yield Input(chip=chip, label=label, own=sensor.rpartition("/")[2], file=file)
