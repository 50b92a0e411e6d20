"""NVIDIA's tegrastats on Jetson boards: clocks, temperatures, and power where the sensors themselves are hidden.

One line, words parted by blanks; its forms have changed with every JetPack (NVIDIA Jetson Linux documentation,
tegrastats). Only the words that are asked for are read, and each of them must have a form that is known.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path

from profiler.host.kernel_files import HERE, UnreadableError
from profiler.host.programs import output, output_lately
from profiler.host.readings import is_plausible
from profiler.host.vendors import TEGRASTATS
from profiler.telemetry import ina3221
from profiler.telemetry.clocks import OFF
from profiler.telemetry.gauge import Gauge
from profiler.telemetry.jetson_rails import UNCONNECTED, sensors
from profiler.telemetry.protocol import Meter, Reader
from profiler.telemetry.streaming import Stream

PERIOD_S = 0.5
STALE_S = 4 * PERIOD_S

MEGA = 1_000_000

_MEMORY = re.compile(r"[0-9]{1,9}/[0-9]{1,9}[kM]B")
_ENGINE = re.compile(
    r"(?:(?P<load>[0-9]{1,3})%)?(?:@(?P<clocks>[0-9]{1,6}|\[[0-9]{1,6}(?:,[0-9]{1,6}){0,15}\]))?"
)
_TEMPERATURE = re.compile(r"([A-Za-z][\w.-]{0,39})@(-?[0-9]{1,4}(?:\.[0-9]{1,6})?)C(?:/.*)?", re.ASCII)
_RAIL = re.compile(r"[A-Z][A-Z0-9_]{0,39}")
_POWER = re.compile(r"(-?[0-9]{1,7})(?:(?:/-?[0-9]{1,7}){1,2}|mW(?:/-?[0-9]{1,7}mW){1,2})")


def words_of(text: str) -> list[str]:
    """Raises `UnreadableError` for what is not a line of tegrastats: all of them tell the memory in use."""
    words = text.split()
    if not any(name == "RAM" and _MEMORY.fullmatch(word) for name, word in pairwise(words)):
        raise UnreadableError("tegrastats: not a line of it")
    return words


def engine(words: Sequence[str], name: str) -> tuple[float | None, tuple[int, ...]]:
    """Load from 0 to 1, and clocks in Hz: `3%`, `3%@1300`, `3%@[1300,1300]` or `@[1300]`; nothing without the word."""
    word = next((word for before, word in pairwise(words) if before == name), "")
    found = _ENGINE.fullmatch(word)
    if not found or int(found["load"] or 0) > 100:
        raise UnreadableError(f"tegrastats: {name} has an unknown form")
    clocks = re.findall(r"[0-9]+", found["clocks"] or "")
    return int(found["load"]) / 100 if found["load"] else None, tuple(int(mhz) * MEGA for mhz in clocks)


def temperatures(words: Sequence[str]) -> dict[str, float]:
    """Without what no chip can have: -256 of a sensor that is not there, and the 100 that old PMICs always say."""
    found = [match.groups() for word in words if (match := _TEMPERATURE.fullmatch(word))]
    return {name: float(degrees) for name, degrees in found if is_plausible(name, float(degrees))}


def rails(words: Sequence[str]) -> dict[str, float]:
    """Watts now. The second and third number, means and peaks since tegrastats was started, are not taken."""
    return {
        label: int(power[1]) / 1000
        for label, word in pairwise(words)
        if label != UNCONNECTED and _RAIL.fullmatch(label) and (power := _POWER.fullmatch(word))
    }


def gpu_clock(root: Path) -> dict[str, int | str]:
    """One, or one for each cluster of the GPU; "off" for one that has no power."""
    _, clocks = engine(_now(root), "GR3D_FREQ")
    if not clocks:
        raise UnreadableError("tegrastats: tells no clock of the GPU")
    if len(clocks) == 1:
        return {"tegrastats": clocks[0] or OFF}
    return {f"tegrastats GPC{place}": clock or OFF for place, clock in enumerate(clocks)}


def gpu_load(root: Path) -> dict[str, float]:
    load, _ = engine(_now(root), "GR3D_FREQ")
    if load is None:
        raise UnreadableError("tegrastats: tells no load of the GPU")
    return {"tegrastats": load}


def dram_clock(root: Path) -> dict[str, int]:
    _, clocks = engine(_now(root), "EMC_FREQ")
    if not any(clocks):
        raise UnreadableError("tegrastats: tells no clock of the memory (on some systems only to root)")
    return {"tegrastats": clocks[0]}


def temperature(root: Path) -> dict[str, float]:
    degrees = temperatures(_now(root))
    if not degrees:
        raise UnreadableError("tegrastats: tells no temperature")
    return {f"tegrastats {name}": value for name, value in degrees.items()}


def _now(root: Path) -> list[str]:
    return words_of(output_lately(root, TEGRASTATS))


STATE: Mapping[str, Reader] = {
    "gpu_clock": gpu_clock,
    "gpu_load": gpu_load,
    "dram_clock": dram_clock,
    "temperature": temperature,
}


def meters(root: Path) -> Sequence[Meter]:
    """One for each rail, all from one program that runs until they are closed; none where the chips can be read."""
    if _chips_are_readable(root):
        raise UnreadableError("ina3221 tells the same rails without a program")
    line = output(root, TEGRASTATS)
    found = sensors("tegrastats", dict.fromkeys(rails(words_of(line)), PERIOD_S))
    if not found:
        raise UnreadableError("tegrastats: tells no power")
    if root != HERE:
        return [Gauge(sensor, partial(_rail, lambda: line, sensor.name)) for sensor in found]
    stream = Stream(TEGRASTATS)
    newest = partial(stream.newest, STALE_S)
    return [Gauge(sensor, partial(_rail, newest, sensor.name), stream.close) for sensor in found]


def _chips_are_readable(root: Path) -> bool:
    try:
        return bool(ina3221.meters(root))
    except UnreadableError:
        return False


def _rail(newest: Callable[[], str], label: str) -> float:
    watts = rails(words_of(newest())).get(label)
    if watts is None:
        raise UnreadableError(f"tegrastats: tells no {label} now")
    return watts
