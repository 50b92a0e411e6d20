"""The log of an external meter that was named on the command line: joined with a run, or kept in its file."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from datetime import tzinfo
from pathlib import Path

import msgspec

from profiler.cli.place import Place
from profiler.cli.values import shift
from profiler.errors import UserError
from profiler.runfile import PowerLog, Run
from profiler.telemetry import log_overlap, log_times, power_log


class MeterLog(msgspec.Struct, frozen=True, kw_only=True):
    """A file, the zone of its times (None: that of this machine), how far its clock was ahead, and what was typed."""

    path: Path
    zone: tzinfo | None
    offset_s: float
    typed: tuple[str, ...]

    def of(self, run: Run) -> PowerLog:
        """What the file says of this run. Raises `UserError` if it cannot be read, or says nothing of it."""
        return log_overlap.within(power_log.read(self.path, self.zone, self.offset_s), run)


def meter_log(path: Path | None, zone: str | None, offset: str | None) -> MeterLog | None:
    """What these options ask for; the file itself is not looked at. Raises `UserError` for a bad word."""
    others = {"--power-zone": zone, "--power-offset": offset}
    typed = {flag: word for flag, word in others.items() if word is not None}
    if path is None:
        if typed:
            raise UserError(
                f"{next(iter(typed))} says how to read a power log: name it with --power-log FILE.csv"
            )
        return None
    return MeterLog(
        path=path,
        zone=None if zone is None else log_times.zone(zone),
        offset_s=0.0 if offset is None else shift("--power-offset", offset),
        typed=("--power-log", str(path), *(word for pair in typed.items() for word in pair)),
    )


def look_ahead(log: MeterLog | None) -> str | None:
    """A sentence if the file is not there yet, which may well be. Raises `UserError` for what can be no log."""
    if log is None or log.path.is_file():
        return None
    if log.path.exists():
        raise UserError(f"{log.path.name} is a folder or a device, not the log of a meter: name its CSV file")
    return f"{log.path.name} is not there yet: it is read after the last worker"


def joined(run: Run, log: MeterLog | None) -> Run:
    """The run with this log in place of any that it had."""
    return run if log is None else msgspec.structs.replace(run, power_log=log.of(run))


def joined_where_it_fits(runs: Sequence[Run], log: MeterLog | None) -> list[Run]:
    """Each run that the log says something of with it. Raises `UserError` if it says nothing of any."""
    found, reasons = [], []
    for run in runs:
        try:
            found.append(joined(run, log))
        except UserError as reason:
            found.append(run)
            reasons.append(reason)
    if reasons and len(reasons) == len(runs):
        raise reasons[0]
    return found


def keep(log: MeterLog | None, into: Place) -> str | None:
    """Append the log to the run file. Returns a sentence if that cannot be done now: the run counts without it."""
    if log is None:
        return None
    try:
        into.append(log.of(into.read()))
    except UserError as reason:
        later = shlex.join(["edgeprof", "report", str(into.path), *log.typed])
        return f"The power log is not joined: {reason}. Later: {later}"
    return None
