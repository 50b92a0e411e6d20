"""Which part of a meter's log is of a run."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from datetime import timedelta

import msgspec

from profiler.errors import UserError
from profiler.runfile import PowerLog, Run
from profiler.telemetry.log_times import EPOCH, SECOND

EARLIEST_NS = 20 * 365 * 24 * 3600 * SECOND
"""About 1990: no meter's log is as old, but times that count from its beginning are."""

MARGIN_NS = 60 * SECOND
"""What is kept of a log before and after the run."""


def within(log: PowerLog, run: Run) -> PowerLog:
    """What the log says of the run and of a minute around it. Raises `UserError` if it says nothing of the run."""
    began, ended = span(run)
    if log.wall_ns[-1] < EARLIEST_NS:
        raise UserError(
            f"{log.name} has times from {_seconds(log.wall_ns[0])} s to {_seconds(log.wall_ns[-1])} s, which are not "
            "since 1970: if they count from the beginning of the log, give that moment with a minus, as in "
            f"--power-offset -{began // SECOND} (date +%s tells it)"
        )
    if log.wall_ns[-1] < began or log.wall_ns[0] > ended:
        raise UserError(
            f"{log.name} has readings from {_utc(log.wall_ns[0])} to {_utc(log.wall_ns[-1])} (UTC), and the run was "
            f"from {_utc(began)} to {_utc(ended)}: if they are of this run, give the zone of the meter's times with "
            "--power-zone, or with --power-offset the seconds that its clock was ahead"
        )
    first, last = (
        bisect_left(log.wall_ns, began - MARGIN_NS),
        bisect_right(log.wall_ns, ended + MARGIN_NS),
    )
    return msgspec.structs.replace(log, wall_ns=log.wall_ns[first:last], watts=log.watts[first:last])


def span(run: Run) -> tuple[int, int]:
    """When a run began and ended, on the wall clock."""
    moments = [run.header.started, *(event.at for event in run.events)]
    moments += [at for worker in run.workers for at in (worker.started, worker.ended)]
    walls = [at.wall_ns for at in moments]
    return min(walls), max(walls)


def _seconds(wall_ns: int) -> str:
    return f"{wall_ns / SECOND:.10g}"


def _utc(wall_ns: int) -> str:
    return f"{EPOCH + timedelta(microseconds=wall_ns // 1000):%Y-%m-%d %H:%M:%S}"
