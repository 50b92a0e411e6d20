"""macOS's powermetrics, for root: clocks, thermal pressure, power.

Samples are blocks of `name: value` lines (Apple, powermetrics manual). Where a line comes twice, such as the power of
the GPU, the first one counts.
"""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import msgspec

from profiler.host.kernel_files import HERE, UnreadableError
from profiler.host.programs import output, output_lately
from profiler.host.vendors import POWERMETRICS, POWERMETRICS_POWER
from profiler.runfile import Sensor
from profiler.telemetry.gauge import Gauge
from profiler.telemetry.protocol import Meter, Reader
from profiler.telemetry.streaming import Stream

PERIOD_S = 1.0
STALE_S = 4 * PERIOD_S

MEGA = 1_000_000

BEGINS = r"\*\*\* Sampled system activity"
TOTALS = {
    "CPU + GPU + ANE": r"Combined Power \(CPU \+ GPU \+ ANE\): ([0-9]{1,7}) mW",
    "package": r"Intel energy model derived package power \(CPUs\+GT\+SA\): ([0-9]{1,4}(?:\.[0-9]{1,6})?) ?W",
}
"""All of the chip, of Apple's and of Intel's."""

PARTS = {part: rf"{part} Power: ([0-9]{{1,7}}) mW" for part in ("CPU", "GPU", "ANE")}

_CLUSTER = r"([A-Z][0-9]?-Cluster) HW active frequency: ([0-9]{1,6}) MHz"
_PRESSURE = r"Current pressure level: ([A-Za-z ]{1,40})"


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """What a sample says: the clock of each cluster while it worked, in Hz; the pressure level; watts by part."""

    clusters_hz: dict[str, int] = {}
    pressure: str | None = None
    watts: dict[str, float] = {}


def parse(text: str) -> Sample:
    """The known lines of a sample; nothing is wrong with a text that has none of them."""
    lines = [line.strip() for line in text.split("\n")]
    watts = {name: _first(lines, pattern) for name, pattern in (PARTS | TOTALS).items()}
    clusters = [match.groups() for line in lines if (match := re.fullmatch(_CLUSTER, line))]
    return Sample(
        clusters_hz={name: int(mhz) * MEGA for name, mhz in reversed(clusters) if int(mhz)},
        pressure=(_first(lines, _PRESSURE) or "").strip() or None,
        watts={name: _watts(name, value) for name, value in watts.items() if value is not None},
    )


def _first(lines: Sequence[str], pattern: str) -> str | None:
    return next((match[1] for line in lines if (match := re.fullmatch(pattern, line))), None)


def _watts(name: str, value: str) -> float:
    return float(value) if name == "package" else int(value) / 1000


def cpu_clock(root: Path) -> dict[str, int]:
    clusters = _now(root).clusters_hz
    if not clusters:
        raise UnreadableError("powermetrics: tells no clock of a cluster")
    return dict(sorted(clusters.items()))


def throttled_now(root: Path) -> dict[str, str]:
    """The level of thermal pressure, or "no" where it is nominal."""
    level = _now(root).pressure
    if level is None:
        raise UnreadableError("powermetrics: tells no thermal pressure")
    return {"powermetrics": "no" if level == "Nominal" else level}


def _now(root: Path) -> Sample:
    _allowed(root)
    return parse(output_lately(root, POWERMETRICS))


def _allowed(root: Path) -> None:
    if root == HERE and platform.system() == "Darwin" and os.geteuid() != 0:
        raise UnreadableError("powermetrics: needs root (sudo edgeprof run ...)")


STATE: Mapping[str, Reader] = {"cpu_clock": cpu_clock, "throttled_now": throttled_now}


def meters(root: Path) -> Sequence[Meter]:
    """One for the chip and one for each of its parts, all from one program that runs until they are closed."""
    _allowed(root)
    text = output(root, POWERMETRICS)
    names = parse(text).watts
    if not names.keys() & TOTALS.keys():
        raise UnreadableError("powermetrics: tells no power of the whole chip")
    if root != HERE:
        return [Gauge(_sensor(name), partial(_power, lambda: text, name)) for name in names]
    stream = Stream(POWERMETRICS_POWER, BEGINS, "|".join(TOTALS.values()))
    newest = partial(stream.newest, STALE_S)
    return [Gauge(_sensor(name), partial(_power, newest, name), stream.close) for name in names]


def _sensor(name: str) -> Sensor:
    return Sensor(
        id=f"powermetrics/{name}",
        source="powermetrics",
        name=name,
        scope="package" if name in TOTALS else "part",
        quantity="power",
        period_s=PERIOD_S,
        note="estimated by the system, as a mean of the last second",
    )


def _power(newest: Callable[[], str], name: str) -> float:
    watts = parse(newest()).watts.get(name)
    if watts is None:
        raise UnreadableError(f"powermetrics: tells no power of {name} now")
    return watts
