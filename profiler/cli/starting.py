"""`edgeprof run`: what was typed says whether a plan is shown, a run goes on or a new one starts, here or on boards."""

from __future__ import annotations

from pathlib import Path

import typer
from msgspec.structs import replace

from profiler.cli import power_log
from profiler.cli.app import printable
from profiler.cli.asked import Asked
from profiler.cli.limited_run import limited
from profiler.cli.on_boards import on_boards
from profiler.cli.running import After, dry, fresh, resumed
from profiler.cli.shaped import requested
from profiler.cli.tracing import TraceFile
from profiler.errors import UserError
from profiler.measure.request import Request
from profiler.measure.start import prepare
from profiler.render import formats
from profiler.runfile import picked


def start(asked: Asked) -> None:
    """The whole command."""
    log, name, trace = asked.meter_log(), format_of(asked), TraceFile(asked.trace)
    trace.check(profiled=asked.profile or asked.resume is not None)
    not_there = power_log.look_ahead(log)
    if not_there is not None:
        typer.echo(printable(not_there), err=True)
    if asked.resume is not None:
        refuse_other_plans(asked)
    after = After(log=log, format=name, trace=trace)
    if asked.on:
        on_boards(asked, after)
        return
    with requested(asked) as request:
        fit = limited(asked, request)
        go(asked, fit.request if fit else request, replace(after, limited=fit))


def go(asked: Asked, request: Request, after: After) -> None:
    """One of the three, on this machine."""
    if asked.dry_run:
        dry(prepare(request), after.limited)
    elif asked.resume is not None:
        resumed(request, asked.resume, after)
    else:
        fresh(request, asked.output, after)


def format_of(asked: Asked) -> str:
    """The format of the report below a run. Raises `UserError` for one that takes a page of its own."""
    if asked.output_format in formats.DRAWN:
        raise UserError(
            f"-f {asked.output_format}: a run shows {', '.join(formats.MODULES)}; afterwards make that of its run file "
            f"by edgeprof report RUN -o FILE.{asked.output_format}"
        )
    return formats.chosen(asked.output_format, None)


def refuse_other_plans(asked: Asked) -> None:
    """A run goes on in its own file and by the plan in it."""
    if asked.output is not None:
        raise UserError("-o and --resume exclude each other: a run goes on in its own file")
    if asked.resume is not None:
        _refuse_one_of_several(asked.resume)
    if asked.dry_run:
        raise UserError("--dry-run shows a new run; one that is resumed goes on by the plan in its file")
    typed = [flag for flag, value in asked.of_the_plan().items() if value not in (None, False)]
    if typed:
        raise UserError(f"{typed[0]} and --resume exclude each other: a run goes on by the plan in its file")


def _refuse_one_of_several(path: Path) -> None:
    """Raises `UserError` for `night.jsonl#cooled`, which every other command takes."""
    file, board = picked(path)
    if board is not None and file.is_file():
        raise UserError(f"--resume takes the whole file: --resume {file} --on {board or 'NAME'}=USER@BOARD")
