"""The power chip of a Raspberry Pi 5: its rails, without what it cannot see.

Format: Raspberry Pi documentation, vcgencmd pmic_read_adc. A line for each voltage and each current, joined by the
name of the rail. The two inputs have a voltage only, so there is no figure of the whole board, and none is made up.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import fsum
from pathlib import Path

from profiler.host.kernel_files import UnreadableError
from profiler.runfile import Sensor
from profiler.telemetry.gauge import Gauge
from profiler.telemetry.protocol import Meter
from profiler.telemetry.raspberry_pi import answer

COMMAND = "vcgencmd pmic_read_adc"

_VALUE = r"=(-?[0-9]{1,4}(?:\.[0-9]{1,12})?)"
_LINE = re.compile(
    rf" *([A-Z0-9_]{{1,32}})_(?:A current\([0-9]{{1,3}}\){_VALUE}A|V volt\([0-9]{{1,3}}\){_VALUE}V) *"
)

SENSOR = Sensor(
    id="pi_pmic",
    source="pi_pmic",
    name="rails of the power chip",
    scope="partial",
    quantity="power",
    period_s=1.0,
    note="sum of the rails with voltage and current: without USB, HATs and what the power chip itself loses",
)
"""Each reading starts a program, so it is not read more than once a second."""


def meters(root: Path) -> Sequence[Meter]:
    """One: the sum of the rails."""
    watts(root)
    return [Gauge(SENSOR, lambda: watts(root))]


def watts(root: Path) -> float:
    """Raises `UnreadableError` where the chip does not answer, or not with rails."""
    return rails_sum(answer(root, "pmic_read_adc"))


def rails_sum(text: str) -> float:
    """Volts times amperes, summed over the rails that have both."""
    volts: dict[str, float] = {}
    amperes: dict[str, float] = {}
    for line in filter(str.strip, text.split("\n")):
        found = _LINE.fullmatch(line)
        if not found:
            raise UnreadableError(f"{COMMAND}: a line is neither a current nor a voltage")
        rail, current, voltage = found.groups()
        (amperes if current else volts)[rail] = float(current or voltage)
    both = amperes.keys() & volts.keys()
    if not both:
        raise UnreadableError(f"{COMMAND}: no rail has both voltage and current")
    return fsum(volts[rail] * amperes[rail] for rail in both)
