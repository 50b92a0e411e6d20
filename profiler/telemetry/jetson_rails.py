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


def sensors(source: str, periods: Mapping[str, float | None]) -> list[Sensor]:
    """A sensor for each label, with its period in seconds."""
    return [
        Sensor(
            id=f"{source}/{label}",
            source=source,
            name=label,
            scope="board" if label in board(periods) else "part",
            quantity="power",
            period_s=period,
            note=None if board(periods) else "of this set of rails it is not known which add up to the board",
        )
        for label, period in periods.items()
    ]


def board(labels: Collection[str]) -> frozenset[str]:
    """The labels whose sum is what the board takes in; none where the set is not known."""
    for label in INPUTS:
        if label in labels:
            return frozenset({label})
    return NO_INPUT if set(labels) >= NO_INPUT else frozenset()
