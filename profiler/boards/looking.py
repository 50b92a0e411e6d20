"""A look at a board before a run, by the readers that look at this machine."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from profiler.boards import deploy, engines
from profiler.boards.deploy import Board
from profiler.boards.link import Link
from profiler.boards.mirror import Mirror
from profiler.host.capabilities import capabilities
from profiler.host.counters import BusyNow, cpu_times, foreign_share
from profiler.host.disturbances import disturbances, notes
from profiler.host.environment import Environment
from profiler.host.finding import Finding
from profiler.host.installed import LIBRARIES, Library

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
