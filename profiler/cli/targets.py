"""`edgeprof devices this --targets`: every target of this machine by every engine, reached or not, and what to type."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

import typer

from profiler.catalogue.devices import DeviceProfile
from profiler.engines.table import ENGINES
from profiler.measure.reaching import reached
from profiler.measure.targets import CPU, KINDS, Way, ways

if TYPE_CHECKING:
    from rich.table import Table

SCHEMA = "edgeprof.targets/1"
NOT_SHOWN = "scripted"
"""The engine of the tests."""


def all_ways(profile: DeviceProfile) -> Iterator[Way]:
    """Every target of a machine by every engine that has a way there. Engines are asked in processes of their own."""
    ask = lru_cache(maxsize=None)(reached)
    for engine in ENGINES:
        if engine != NOT_SHOWN:
            answer = ask(engine)
            reason = answer if isinstance(answer, str) else None
            yield Way(target=CPU, engine=engine, provider=CPU, route=None, reason=reason)
    for kind in KINDS:
        found = list(ways(kind, profile, ask))
        yield from found
        led = {way.engine for way in found} | {NOT_SHOWN}
        yield from (_nowhere(kind, engine) for engine in ENGINES if engine not in led)


def _nowhere(kind: str, engine: str) -> Way:
    return Way(
        target=kind, engine=engine, provider="-", route=None, reason="edgeprof leads it to the CPU alone"
    )


def is_reached(way: Way) -> bool:
    """Whether a build can run there."""
    return way.reason is None


def show(profile: DeviceProfile, *, as_json: bool) -> None:
    """Print them all."""
    found = list(all_ways(profile))
    if as_json:
        typer.echo(_json(found))
        return
    from rich.console import Console

    console = Console(markup=False, highlight=False, emoji=False)
    console.print(_table(found))
    console.print("\nA run proves what is reached before it times anything: edgeprof run BUILD --target npu")


def _json(found: list[Way]) -> str:
    import msgspec

    shown = [msgspec.to_builtins(way) | {"reached": is_reached(way)} for way in found]
    return msgspec.json.format(msgspec.json.encode({"schema": SCHEMA, "targets": shown})).decode()


def _table(found: list[Way]) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for header in ("target", "engine", "as", "reached", "device, or what is missing"):
        table.add_column(header, overflow="fold")
    for way in found:
        table.add_row(way.target, way.engine, way.provider, _word(way), _device(way))
    return table


def _word(way: Way) -> str:
    if not is_reached(way):
        return "no"
    return "simulated" if way.route is not None and way.route.simulated else "yes"


def _device(way: Way) -> str:
    if way.reason is not None:
        return way.reason
    return "this processor" if way.route is None else way.route.simulated or way.route.device or ""
