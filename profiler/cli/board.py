"""`edgeprof run --on`: one board made ready for a run, and what cannot be done there."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from profiler.boards.boarding import Boarded
from profiler.boards.there import LATEST_CLOCK_S
from profiler.cli.asked import Asked
from profiler.cli.progress import progress
from profiler.errors import UserError
from profiler.measure.request import Request
from profiler.measure.start import Prepared, prepare, with_needs
from profiler.measure.worker_environment import recorded
from profiler.runfile import THIS, Header


def refuse_on_board(asked: Asked) -> None:
    """Raises `UserError` for what cannot be done on a board yet."""
    if asked.memory_limit is not None:
        raise UserError(
            "--memory-limit does not work with --on yet: leave it out, or run edgeprof on the board itself"
        )


def planned(board: Boarded, request: Request) -> Prepared:
    """The plan of a run there. What only the board knows is asked there, with the builds that this needs."""
    with progress() as line:
        line.say("Asking the board")
        return prepare(request, board.site(request.device, line.bytes))


def planned_again(board: Boarded, header: Header, paths: dict[str, Path], *, force: bool) -> Prepared:
    """A run there that goes on, by the plan in its header."""
    with progress() as line:
        line.say("Asking the board")
        site = board.site(THIS, line.bytes)
        return with_needs(header, paths, site.available_bytes, force=force, asking=site.asking)


def refuse_wrong_clock(host: str, ahead_s: float) -> None:
    """Raises `UserError` where the log of a meter would be joined at the wrong moments."""
    if abs(ahead_s) > LATEST_CLOCK_S:
        off = f"{abs(ahead_s):,.0f} s {'ahead of' if ahead_s > 0 else 'behind'} this machine's"
        raise UserError(
            f"the clock of board {host} is {off}, and --power-log joins by it: set it (sudo timedatectl set-ntp "
            "true), or leave --power-log out"
        )


def made_ready(board: Boarded, prepared: Prepared, *, external: bool) -> Prepared:
    """The board has worker and builds, and the run goes there; `external` if a meter keeps a log of its own.

    A run that goes on reads the sensors that its header names.
    """
    if external:
        refuse_wrong_clock(board.host, board.clock_ahead_s)
    found, reasons = board.meters()
    known = prepared.header.sensors
    meters = [meter for meter in found if not known or meter.sensor in known]
    with progress() as line:
        machine = board.machine(
            prepared.paths,
            meters,
            line.bytes,
            external_meter=external,
        )
    header = replace(prepared.header, sensors=[meter.sensor for meter in meters], no_sensor=reasons)
    header = replace(header, worker_environment=recorded({}), on_board=True)
    return replace(prepared, header=header, machine=machine)
