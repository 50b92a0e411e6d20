"""A look at a board before a run, by the readers that look at this machine."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Any

import msgspec

from profiler.boards import deploy, engines
from profiler.boards.deploy import Board
from profiler.boards.link import Link
from profiler.boards.mirror import Mirror
from profiler.catalogue.devices import DeviceProfile
from profiler.host.capabilities import capabilities
from profiler.host.counters import BusyNow, cpu_times, foreign_share
from profiler.host.disturbances import disturbances, notes
from profiler.host.environment import Environment
from profiler.host.finding import Finding
from profiler.host.installed import LIBRARIES, Library
from profiler.measure.asking import Asking
from profiler.measure.reaching import reached
from profiler.measure.targets import KINDS, Way, ways

WINDOW_S = 1.0
OURS = ("disturb.disk", "note.memlock")
"""Findings of the machine that asks."""


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What was found. Which programs keep it busy is not asked."""

    environment: Environment
    findings: list[Finding]
    busy: BusyNow


def look(link: Link, board: Board, mirror: Mirror, surroundings: dict[str, Any], host: str) -> Look:
    """Watches its CPU for a second."""
    here = msgspec.convert(surroundings, Environment)
    busy = BusyNow(foreign_share=_busy_share(link, mirror, len(board.cpus)), busiest=())
    there = link.ask(
        "modules", names=[one.module for one in LIBRARIES], folder=f"{board.folder}/{deploy.ENGINES}"
    )
    findings = [
        _python(board),
        *capabilities(mirror.root, here),
        *disturbances(here, busy),
        *notes(here),
        *(_engine(one, there[one.module], host) for one in LIBRARIES),
    ]
    return Look(environment=here, findings=[one for one in findings if one.code not in OURS], busy=busy)


def accelerators(profile: DeviceProfile, asking: Asking) -> list[Finding]:
    """What its engines reach beside the CPU, and what leads to an accelerator that its profile names."""
    named = {one.kind for one in profile.accelerators.values()}
    ask = lru_cache(maxsize=None)(partial(reached, asking=asking))
    told = ((kind, list(ways(kind, profile, ask, asking=asking))) for kind in KINDS)
    found = (_accelerator(kind, led, is_named=kind in named) for kind, led in told)
    return [one for one in found if one is not None]


def _accelerator(kind: str, led: Sequence[Way], *, is_named: bool) -> Finding | None:
    code = f"engine.{kind}"
    seen = [
        f"{way.route.simulated or way.route.device or way.provider}, by {way.engine} ({way.provider})"
        for way in led
        if way.route is not None
    ]
    if seen:
        return Finding(code=code, status="ok", seen="; ".join(seen))
    reason = next((way.reason for way in led), None)
    return (
        Finding(code=code, status="missing", seen=f"not reached: {reason}") if is_named and reason else None
    )


def _busy_share(link: Link, mirror: Mirror, cores: int) -> float | None:
    before = cpu_times(mirror.some(link, "proc/stat"))
    time.sleep(WINDOW_S)
    after = cpu_times(mirror.some(link, "proc/stat"))
    return foreign_share(before, after, 0.0, cores, WINDOW_S) if before and after else None


def _python(board: Board) -> Finding:
    free = f"{board.free_bytes >> 20:,} MiB free for builds"
    return Finding(
        code="measure.workers", status="ok", seen=f"Python {board.python}, {board.machine}, {free}"
    )


def _engine(library: Library, version: str | None, host: str) -> Finding:
    code = f"engine.{library.engine}"
    if version is not None:
        return Finding(code=code, status="ok", seen=f"{library.distribution} {version}".strip())
    advice = engines.command(host, library.engine)
    return Finding(code=code, status="missing", seen="not there", advice=advice)
