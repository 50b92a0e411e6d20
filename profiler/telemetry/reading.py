"""The state of the board now, and the meters that this machine has."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from profiler.host.kernel_files import HERE, UnreadableError
from profiler.runfile import Anchor, Board
from profiler.telemetry.parts import NOT_OFFERED as ABSENT
from profiler.telemetry.protocol import TOPICS, Meter, MeterSource, Readings, StateSource, Value
from profiler.telemetry.sources import METER_SOURCES, STATE_SOURCES

NOT_OFFERED = "no source on this system tells it"

T = TypeVar("T")


def board(at: Anchor, root: Path = HERE, sources: Mapping[str, StateSource] = STATE_SOURCES) -> Board:
    """Every topic with what its sources say now, or with the reason why none says anything."""
    readings: dict[str, dict[str, Value]] = {}
    reasons: dict[str, list[str]] = {}
    for name, source in sources.items():
        for topic, read in source.STATE.items():
            try:
                said: Readings = _answer(name, read, root)
            except UnreadableError as reason:
                reasons.setdefault(topic, []).append(str(reason))
            else:
                readings.setdefault(topic, {}).update(said)
    missing = {topic: _reason(reasons.get(topic, [])) for topic in TOPICS if not readings.get(topic)}
    return Board(
        at=at, readings={topic: said for topic, said in readings.items() if said}, unreadable=missing
    )


def _answer(name: str, ask: Callable[[Path], T], root: Path) -> T:
    """What a source says. Raises `UnreadableError` whatever goes wrong in it: no sensor ends a run."""
    try:
        return ask(root)
    except UnreadableError:
        raise
    except Exception as error:  # the library of a driver may raise anything
        raise UnreadableError(f"{name}: its reader failed ({type(error).__name__})") from error


def _reason(reasons: Sequence[str]) -> str:
    """The distinct reasons of all sources; that a file is not there is the least telling of them."""
    telling = [reason for reason in reasons if not reason.endswith(ABSENT)]
    return "; ".join(dict.fromkeys(telling or reasons)) or NOT_OFFERED


def found_meters(
    root: Path = HERE, sources: Mapping[str, MeterSource] = METER_SOURCES
) -> tuple[list[Meter], dict[str, str]]:
    """The meters of all sources, and why the other sources have none."""
    found: list[Meter] = []
    reasons = {}
    for name, source in sources.items():
        try:
            found += _answer(name, source.meters, root)
        except UnreadableError as reason:
            reasons[name] = str(reason)
    return found, reasons
