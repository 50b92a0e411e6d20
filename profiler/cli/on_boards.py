"""`edgeprof run --on`, once or several times: boards measured one after the other, their runs in one file."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import typer
from msgspec.structs import replace

from profiler import runfile
from profiler.boards.boarding import Boarded, boarded
from profiler.cli import reporting
from profiler.cli.app import printable
from profiler.cli.asked import Asked
from profiler.cli.board import made_ready, planned, refuse_on_board
from profiler.cli.ending import as_interrupts
from profiler.cli.limited_run import limited
from profiler.cli.running import After, begin, called_there, default_path, dry, resumed, tell_proof
from profiler.cli.shaped import requested
from profiler.errors import ExitCode, UserError
from profiler.measure.request import Request
from profiler.measure.start import proven

NAME = re.compile(r"(?![rx][0-9]+\Z)[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
"""What a user may call a board; r2 and x2 are rows."""


class Named(msgspec.Struct, frozen=True):
    """A board as `--on` names it: how OpenSSH reaches it, and what its user calls it."""

    host: str
    name: str | None = None

    @property
    def told(self) -> str:
        """For a reader."""
        return printable(self.name or self.host)


@as_interrupts()
def on_boards(asked: Asked, after: After) -> None:
    """On one board; or on several one after the other, into one file that is shown at the end."""
    refuse_on_board(asked)
    asked.request()
    _refuse_to_overwrite(asked.output)
    wanted = [_named(word) for word in asked.on or []]
    if len(wanted) == 1:
        _on_board(wanted[0], asked, after)
        return
    _refuse_several(asked, wanted)
    there, ended = _called(wanted, asked)
    if asked.resume is not None:
        there = _unfinished(there, asked.resume)
    elif asked.output is None:
        asked = replace(asked, output=default_path(Path(asked.builds[0]).stem, secrets.token_hex(8)))
    after = replace(after, shown=after.format == "terminal")
    try:
        ended += [_on_one_of(one, asked, after) for one in there.values()]
    finally:
        _show_all(asked.output or asked.resume, after)
    raise typer.Exit(min(filter(None, ended), default=ExitCode.DONE))


def _named(word: str) -> Named:
    """`user@board`, or `name=user@board`. Raises `UserError`."""
    name, mark, host = word.rpartition("=")
    if not mark:
        return Named(word)
    if not host or NAME.fullmatch(name) is None:
        raise UserError(
            f"--on {word!r}: a board is named by up to 40 letters, digits, dots and hyphens (r2 is a row), as in "
            "cooled=pi@raspberrypi.local"
        )
    return Named(host, name)


def _refuse_several(asked: Asked, wanted: Sequence[Named]) -> None:
    """Raises `UserError` for what several boards cannot have."""
    hosts = [one.host for one in wanted]
    twice = next((host for host in hosts if hosts.count(host) > 1), None)
    if twice is not None:
        raise UserError(f"--on names board {twice} twice: once is enough")
    alone = {"--power-log": asked.power_log is not None, "--trace": asked.trace is not None}
    typed = [flag for flag, is_typed in alone.items() if is_typed]
    if typed:
        raise UserError(f"{typed[0]} is of one run, and --on names {len(hosts)} boards: name one of them")


def _refuse_to_overwrite(path: Path | None) -> None:
    """Before anything is copied to a board."""
    if path is not None and path.exists():
        raise UserError(f"{path} exists: choose another name, or go on with it by --resume {path}")


def _called(wanted: Sequence[Named], asked: Asked) -> tuple[dict[str, Named], list[int]]:
    """Boards that answer, by their names, and how it ended with the others. Raises `UserError` for two of one name."""
    there: dict[str, Named] = {}
    starts: dict[str, Named] = {}
    missing: list[int] = []
    for one in wanted:
        try:
            with boarded(one.host, asked.board_python, one.name) as board:
                called, start = board.called(asked.device), board.board.boot_id
        except UserError as error:
            missing.append(_told(error))
            continue
        if called in there:
            raise UserError(
                f"boards {there[called].host} and {one.host} are both called {called}: name them apart, as in "
                f"--on cooled={one.host}"
            )
        there[called] = one
        if start is not None and starts.setdefault(start, one) is not one:
            typer.echo(f"{starts[start].told} and {one.told} are one machine under two names", err=True)
    return there, missing


def _unfinished(there: Mapping[str, Named], path: Path) -> dict[str, Named]:
    """Boards whose run is not over."""
    runs = runfile.read_boards(path)
    over = [called for called in there if called in runs and runs[called].ended and runs[called].sha256]
    for called in over:
        typer.echo(f"Board {printable(called)}: its run is over", err=True)
    return {called: one for called, one in there.items() if called not in over}


def _on_one_of(one: Named, asked: Asked, after: After) -> int:
    """How the run on this board ended. One that cannot be had does not keep the others from theirs."""
    typer.echo(f"Board {one.told}", err=True)
    try:
        _on_board(one, asked, after)
    except typer.Exit as ended:
        if ended.exit_code == ExitCode.INTERRUPTED:
            raise
        return ended.exit_code
    except UserError as error:
        return _told(error)
    return ExitCode.DONE


def _told(error: UserError) -> int:
    typer.echo(f"edgeprof: {printable(str(error))}", err=True)
    return error.exit_code


def _on_board(one: Named, asked: Asked, after: After) -> None:
    """What the board is decides the plan, so that it is reached first. Shapes go from it when their run is over."""
    with boarded(one.host, asked.board_python, one.name) as board:
        called = board.called(asked.device)
        if asked.resume is not None:
            called_there(asked.resume, runfile.read_boards(asked.resume), called)
        with requested(asked, board.room(), called) as request:
            fit = limited(asked, request)
            try:
                _go(board, asked, fit.request if fit else request, replace(after, limited=fit))
            finally:
                board.forget([path for model in request.shaped for path in model.shapes])


def _go(board: Boarded, asked: Asked, request: Request, after: After) -> None:
    if asked.resume is not None:
        resumed(request, asked.resume, after, board)
        return
    prepared = planned(board, request)
    if asked.dry_run:
        dry(prepared, after.limited)
    else:
        shown = proven(prepared, board.scratch, tell_proof)
        ready = made_ready(board, shown, external=after.log is not None)
        begin(ready, asked.output, after, beside=_has_runs(asked))


def _has_runs(asked: Asked) -> bool:
    """Whether the board before has begun the file of several."""
    return len(asked.on or []) > 1 and asked.output is not None and asked.output.exists()


def _show_all(path: Path | None, after: After) -> None:
    """The boards beside each other. One that is alone was shown already where reports are for the screen."""
    if path is not None and path.is_file() and not (after.shown and len(runfile.read_boards(path)) == 1):
        if after.shown:
            typer.echo()
        reporting.start([path], None, reporting.Wanted(output_format=after.format))
