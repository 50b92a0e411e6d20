"""What the rails of Jetson boards cover, by their labels (NVIDIA Jetson Linux documentation, power monitors).

The same labels come from the INA3221 chips and from tegrastats.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from profiler.runfile import Sensor

INPUTS = ("VDD_IN", "POM_5V_IN", "VIN")
"""The input of everything, of most modules, of the first Nano and of Thor: other rails are parts of it."""

NO_INPUT = frozenset({"VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"})
"""AGX Orin measures no common input: these three together are all that comes in."""

UNCONNECTED = "NC"

MODULE_ONLY = "what the module takes in: the carrier board and what is plugged into it are not seen"
NOT_KNOWN = "of this set of rails it is not known which add up to the board"


def sensors(source: str, periods: Mapping[str, float | None]) -> list[Sensor]:
    """A sensor for each label, with its period in seconds."""
    inputs = board(periods)
    return [
        Sensor(
            id=f"{source}/{label}",
            source=source,
            name=label,
            scope="board" if label in inputs else "part",
            quantity="power",
            period_s=period,
            note=_note(label, inputs),
        )
        for label, period in periods.items()
    ]


def board(labels: Collection[str]) -> frozenset[str]:
    """The labels whose sum is what the board takes in; none where the set is not known."""
    for label in INPUTS:
        if label in labels:
            return frozenset({label})
    return NO_INPUT if set(labels) >= NO_INPUT else frozenset()


def _note(label: str, inputs: Collection[str]) -> str | None:
    """Thor measures in front of its carrier board, the others behind it."""
    if not inputs:
        return NOT_KNOWN
    return MODULE_ONLY if label in inputs and label != "VIN" else None
