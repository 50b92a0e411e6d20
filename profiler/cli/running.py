"""What `edgeprof run` does, step by step: prepare, measure, hash, show."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NoReturn

import msgspec
import platformdirs
import typer
from rich.console import Console

from profiler import runfile
from profiler.analyse import coherent
from profiler.analyse.report import Report
from profiler.analyse.report import report as analyse
from profiler.analyse.simulated import is_proven
from profiler.analyse.source import Source
from profiler.analyse.study import Study
from profiler.boards.boarding import Boarded, boarded
from profiler.builds.hashes import build_sha256
from profiler.builds.identify import identify
from profiler.cli import power_log, reporting
from profiler.cli.app import printable
from profiler.cli.asked import Asked
from profiler.cli.board import files_of_boards, made_ready, refuse_on_board
from profiler.cli.foretold import foretold
from profiler.cli.judging import judges, so_far
from profiler.cli.limited_run import Limited, judge, limited
from profiler.cli.power_log import MeterLog
from profiler.cli.shaped import requested
from profiler.cli.show import show
from profiler.cli.tracing import TraceFile
from profiler.errors import ExitCode, UserError
from profiler.host.machine import available_memory
from profiler.measure.course import FINAL
from profiler.measure.expectation import run_seconds
from profiler.measure.launch import now
from profiler.measure.machine import Here
from profiler.measure.request import Request
from profiler.measure.resuming import matched
from profiler.measure.session import Session
from profiler.measure.start import Prepared, prepare, proven, with_known_meters, with_meters, with_needs
from profiler.render import formats, plan
from profiler.render.live import LiveView, PlainView
from profiler.runfile import THIS, Event, Hashes, Header, Run, Worker


class After(msgspec.Struct, frozen=True, kw_only=True):
    """What follows the last worker: a log that is joined, a report in some format, a trace, a verdict by limits."""

    log: MeterLog | None
    format: str
    trace: TraceFile
    limited: Limited | None = None


def start(asked: Asked) -> None:
    """Show the plan, go on with a run, or start a new one."""
    log, name, trace = asked.meter_log(), format_of(asked), TraceFile(asked.trace)
    trace.check(profiled=asked.profile or asked.resume is not None)
    not_there = power_log.look_ahead(log)
    if not_there is not None:
        typer.echo(printable(not_there), err=True)
    if asked.resume is not None:
        refuse_other_plans(asked)
    with requested(asked) as request:
        fit = limited(asked, request)
        go(asked, request, After(log=log, format=name, trace=trace, limited=fit))


def go(asked: Asked, request: Request, after: After) -> None:
    """One of the three, here or on a board."""
    fit = after.limited
    wanted = fit.request if fit else request
    if asked.on:
        on_boards(asked, wanted, after)
    elif asked.dry_run:
        dry(prepare(wanted), fit)
    elif asked.resume is not None:
        resumed(request, asked.resume, after)
    else:
        fresh(wanted, asked.output, after)


def on_boards(asked: Asked, request: Request, after: After) -> None:
    """On one board; on several one after the other, each with a run file of its own, and all beside each other."""
    refuse_on_board(asked)
    hosts = asked.on or []
    if len(hosts) == 1:
        on_board(hosts[0], asked, request, after)
        return
    ended = {
        path: _on_one_of(host, path, asked, request, after) for host, path in files_of_boards(asked).items()
    }
    there = [path for path, code in ended.items() if code != ExitCode.BAD_INPUT and path.is_file()]
    if len(there) > 1:
        reporting.start(there, None, reporting.Wanted(output_format=after.format))
    raise typer.Exit(max(ended.values()))


def _on_one_of(host: str, path: Path, asked: Asked, request: Request, after: After) -> int:
    """How the run on this board ended. One that cannot be had does not keep the others from theirs."""
    typer.echo(f"Board {printable(host)}", err=True)
    try:
        on_board(host, msgspec.structs.replace(asked, output=path), request, after)
    except typer.Exit as ended:
        if ended.exit_code == ExitCode.INTERRUPTED:
            raise
        return ended.exit_code
    except UserError as error:
        typer.echo(f"edgeprof: {printable(str(error))}", err=True)
        return error.exit_code
    return ExitCode.DONE


def on_board(host: str, asked: Asked, request: Request, after: After) -> None:
    """The same on a board, which is reached first: what it is decides the plan."""
    with boarded(host, asked.board_python) as board:
        if asked.resume is not None:
            resumed(request, asked.resume, after, board)
        elif asked.dry_run:
            dry(prepare(request, board.site(request.device)), after.limited)
        else:
            ready = prepare(request, board.site(request.device))
            begin(made_ready(board, ready, external=after.log is not None), asked.output, after)


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
    if asked.dry_run:
        raise UserError("--dry-run shows a new run; one that is resumed goes on by the plan in its file")
    typed = [flag for flag, value in asked.of_the_plan().items() if value not in (None, False)]
    if typed:
        raise UserError(f"{typed[0]} and --resume exclude each other: a run goes on by the plan in its file")


def dry(prepared: Prepared, fit: Limited | None) -> None:
    """Show what would be run."""
    typer.echo("\n".join(_plan_lines(prepared, fit)))


def fresh(request: Request, output: Path | None, after: After) -> None:
    """A new run, into a new file."""
    with TemporaryDirectory(prefix="edgeprof-") as compiled:
        prepared = proven(prepare(request), Path(compiled), _tell)
        begin(foretold(with_meters(prepared, external=after.log is not None)), output, after)


def begin(prepared: Prepared, output: Path | None, after: After) -> None:
    """Into a new file."""
    path = output or default_path(prepared.header)
    with _created(path) as file:
        _hold(file, path)
        runfile.append(file, prepared.header)
        _run(prepared, file, path, None, after)


def _tell(what: str) -> None:
    typer.echo(f"Proving {printable(what)}", err=True)


def resumed(request: Request, path: Path, after: After, board: Boarded | None = None) -> None:
    """Go on with a run that was cut short, by the plan in its file. One cut while it hashed is only hashed."""
    with _reopened(path) as file:
        _hold(file, path)
        earlier = runfile.read(path)
        coherent.check(earlier)
        after.trace.check(profiled=earlier.header.plan.profile)
        if earlier.ended is not None and earlier.sha256:
            raise UserError(
                f"{path.name} reached its planned stop, and going on with it until it decides would bend its "
                f"figures: make a fresh run with --processes N, for which `edgeprof report {path.name}` says an N"
            )
        paths = matched(earlier.header, identify(request.named))
        _drop_torn_line(file)
        if earlier.ended is not None:
            runfile.append(file, _hashes(paths))
            _show_and_exit(file, path, after, interrupted=False)
        free = board.site(THIS).available_bytes if board else available_memory().available_bytes
        needed = with_needs(earlier.header, paths, free, force=request.force)
        external = after.log is not None
        prepared = (
            made_ready(board, needed, external=external)
            if board
            else with_known_meters(needed, external=external)
        )
        runfile.append(file, Event(name="resumed", at=now()))
        _run(prepared, file, path, earlier, after)


def default_path(header: Header) -> Path:
    """A new file in this platform's data folder, named by time, first build and run."""
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    name = "".join(c if c.isalnum() or c in "._-" else "_" for c in header.plan.builds[0].id)[:80]
    return platformdirs.user_data_path("edgeprof") / "runs" / f"{stamp}-{name}-{header.run_id[:4]}.jsonl"


def _created(path: Path) -> FileIO:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("xb", buffering=0)
    except FileExistsError:
        raise UserError(f"{path} exists: choose another name, or go on with it by --resume {path}") from None
    except OSError as error:
        raise UserError(
            f"{path} cannot be written ({error.strerror}): choose another place with -o"
        ) from None


def _reopened(path: Path) -> FileIO:
    try:
        return path.open("r+b", buffering=0)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}") from None


def _hold(file: FileIO, path: Path) -> None:
    """Nobody else writes this file until we have ended. Windows has no such locks; nothing is held there."""
    if runfile.hold(file) is False:
        raise UserError(f"another edgeprof is writing {path}: wait until it has ended, or stop it")


def _drop_torn_line(file: FileIO) -> None:
    """Ready for appending."""
    file.seek(0)
    file.truncate(file.readall().rfind(b"\n") + 1)
    file.seek(0, os.SEEK_END)


def _run(prepared: Prepared, file: FileIO, path: Path, earlier: Run | None, after: After) -> NoReturn:
    signal.signal(signal.SIGTERM, _as_interrupt)
    console = Console(stderr=True, highlight=False)
    for line in _plan_lines(prepared, after.limited):
        console.print(line, markup=False, soft_wrap=True)
    try:
        _measure(prepared, file, earlier, after.trace, console)
        runfile.append(file, _hashes(prepared.paths))
        interrupted = False
    except KeyboardInterrupt:
        runfile.append(file, Event(name="interrupted", at=now()))
        interrupted = True
    except UserError:
        show(analyse(runfile.read(path)), after.format)
        raise
    finally:
        for meter in prepared.meters:
            meter.close()
    _show_and_exit(file, path, after, interrupted=interrupted)


def _hashes(paths: Mapping[str, Path]) -> Hashes:
    return Hashes(sha256={name: build_sha256(path) for name, path in paths.items()})


def _show_and_exit(file: FileIO, path: Path, after: After, *, interrupted: bool) -> NoReturn:
    not_joined = power_log.keep(after.log, file, path)
    run = runfile.read(path)
    found, code = analyse(run), exit_code(run, interrupted=interrupted)
    show(found, after.format)
    if after.limited is not None and not interrupted:
        judged = judge(Source(name=path.name, report=found, run=run), after.limited.limits, after.format)
        code = judged if code is ExitCode.DONE else code
    console = Console(stderr=True, highlight=False)
    console.print(f"\nRun file: {path}", markup=False, soft_wrap=True)
    for said in (after.trace.write(), not_joined):
        if said is not None:
            console.print(printable(said), markup=False, soft_wrap=True)
    raise typer.Exit(code)


def _as_interrupt(_signal: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _measure(
    prepared: Prepared, file: FileIO, earlier: Run | None, trace: TraceFile, console: Console
) -> None:
    header, workers = prepared.header, earlier.workers if earlier else []
    with _view(header, lambda seen: analyse(so_far(header, seen)), workers, console) as view:
        session = Session(
            header.plan,
            prepared.paths,
            file,
            judges(header),
            view,
            prepared.machine
            or Here(prepared.meters, external_meter=prepared.external_meter, way=prepared.way),
            workers,
            compiled=prepared.compiled,
            profiled={one.case for one in earlier.profiles} if earlier else (),
            traced=trace.add,
        )
        dropped = {w.case for w in workers if w.failure is not None and w.failure.kind in FINAL}
        for case in header.plan.cases:
            if case.id in prepared.refusals and case.id not in dropped:
                session.refuse(case, prepared.refusals[case.id])
        session.go()


def _view(
    header: Header, draw: Callable[[Sequence[Worker]], Report], earlier: Sequence[Worker], console: Console
) -> LiveView | PlainView:
    if console.is_terminal:
        return LiveView(header.plan, draw, earlier, console)
    return PlainView(console)


def _plan_lines(prepared: Prepared, fit: Limited | None) -> list[str]:
    needed = {case_id: need.bytes for case_id, need in prepared.needs.items()}
    run_plan = prepared.header.plan
    expected = run_seconds(run_plan)
    limited_by = prepared.way.by if prepared.way else None
    lines = plan.lines(run_plan, needed, prepared.refusals, prepared.available_bytes, expected, limited_by)
    return [*lines, *(f"  {printable(line)}" for line in (fit.lines if fit else []))]


def exit_code(run: Run, *, interrupted: bool) -> ExitCode:
    """130 if interrupted, 3 if no case gave a figure or was proven in software, else 0."""
    if interrupted:
        return ExitCode.INTERRUPTED
    study = Study(run)
    shown = study.measured() or any(is_proven(run.header, case) for case in run.header.plan.cases)
    return ExitCode.DONE if shown else ExitCode.NOTHING_MEASURED
