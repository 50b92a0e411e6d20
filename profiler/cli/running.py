"""What `edgeprof run` does, step by step: prepare, measure, hash, show."""

from __future__ import annotations

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
from profiler.boards.boarding import Boarded
from profiler.builds.hashes import build_sha256
from profiler.builds.identify import identify
from profiler.cli import place, power_log
from profiler.cli.app import printable
from profiler.cli.board import made_ready, planned_again
from profiler.cli.foretold import foretold
from profiler.cli.judging import judges, so_far
from profiler.cli.limited_run import Limited, judge
from profiler.cli.place import Place
from profiler.cli.power_log import MeterLog
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
from profiler.render import plan
from profiler.render.live import LiveView, PlainView
from profiler.runfile import Event, Hashes, Header, Returned, Run, Worker


class After(msgspec.Struct, frozen=True, kw_only=True):
    """What follows the last worker: a log that is joined, a report in some format, a trace, a verdict by limits.

    `shown` is False where the report comes later, with those of other boards.
    """

    log: MeterLog | None
    format: str
    trace: TraceFile
    limited: Limited | None = None
    shown: bool = True


def dry(prepared: Prepared, fit: Limited | None) -> None:
    """Show what would be run."""
    typer.echo("\n".join(_plan_lines(prepared, fit)))


def fresh(request: Request, output: Path | None, after: After) -> None:
    """A new run, into a new file."""
    with TemporaryDirectory(prefix="edgeprof-") as compiled:
        prepared = proven(prepare(request), Path(compiled), tell_proof)
        begin(foretold(with_meters(prepared, external=after.log is not None)), output, after)


def begin(prepared: Prepared, output: Path | None, after: After, *, beside: bool = False) -> NoReturn:
    """Into a new file; `beside` the runs of other boards that this file has."""
    path = output or default_path(prepared.header.plan.builds[0].id, prepared.header.run_id)
    with place.reopened(path) if beside else place.created(path) as file:
        into = Place(file, path, prepared.header.device.called)
        if beside:
            into.at_the_end()
        into.append(prepared.header)
        _run(prepared, into, None, after)


def tell_proof(what: str) -> None:
    """On standard error, before it takes its time."""
    typer.echo(f"Proving {printable(what)}", err=True)


def resumed(request: Request, path: Path, after: After, board: Boarded | None = None) -> None:
    """Go on with a run that was cut short, by the plan in its file. One cut while it hashed is only hashed."""
    with place.reopened(path) as file:
        earlier, several = _to_resume(path, board, request.device)
        after.trace.check(profiled=earlier.header.plan.profile)
        paths = matched(earlier.header, identify(request.named))
        into = Place(file, path, earlier.header.device.called)
        into.at_the_end()
        if several:
            into.append(Returned(board=into.board))
        if earlier.ended is not None:
            into.append(_hashes(paths))
            _show_and_exit(into, after, interrupted=False)
        prepared = _to_go_on(
            earlier.header, paths, board, external=after.log is not None, force=request.force
        )
        into.append(Event(name="resumed", at=now()))
        _run(prepared, into, earlier, after)


def _to_go_on(
    header: Header, paths: dict[str, Path], board: Boarded | None, *, external: bool, force: bool
) -> Prepared:
    if board is not None:
        return made_ready(board, planned_again(board, header, paths, force=force), external=external)
    needed = with_needs(header, paths, available_memory().available_bytes, force=force)
    return with_known_meters(needed, external=external)


def _to_resume(path: Path, board: Boarded | None, device: str) -> tuple[Run, bool]:
    """The run to go on with, and whether its file has others. Raises `UserError` for one that has ended."""
    runs = runfile.read_boards(path)
    several = len(runs) > 1
    called = called_there(path, runs, board.called(device) if board else None)
    earlier = runs[called]
    coherent.check(earlier)
    if earlier.ended is not None and earlier.sha256:
        name = f"{path.name}#{called}" if several else path.name
        raise UserError(
            f"{name} reached its planned stop, and going on with it until it decides would bend its "
            f"figures: make a fresh run with --processes N, for which `edgeprof report {name}` says an N"
        )
    return earlier, several


def called_there(path: Path, runs: Mapping[str, Run], board: str | None) -> str:
    """What the run of this board (None: of this machine) is called in a file. Raises `UserError` if it has none."""
    first, run = next(iter(runs.items()))
    if board is None:
        if run.header.on_board:
            holds = f"the runs of {len(runs)} boards" if len(runs) > 1 else "the run of a board"
            raise UserError(f"{path.name} holds {holds}: name those to go on with by --on {first}=USER@BOARD")
        return first
    if not run.header.on_board:
        raise UserError(f"{path.name} was measured on the machine itself: go on with it there, without --on")
    if board not in runs:
        raise UserError(
            f"{path.name} has no run of board {board!r}, it has those of {', '.join(runs)}: give each its name by "
            "--on NAME=USER@BOARD; one that had not begun needs a run of its own"
        )
    return board


def default_path(build: str, run_id: str) -> Path:
    """A new file in this platform's data folder, named by time, first build and run."""
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    name = "".join(c if c.isalnum() or c in "._-" else "_" for c in build)[:80]
    return platformdirs.user_data_path("edgeprof") / "runs" / f"{stamp}-{name}-{run_id[:4]}.jsonl"


def _run(prepared: Prepared, into: Place, earlier: Run | None, after: After) -> NoReturn:
    signal.signal(signal.SIGTERM, _as_interrupt)
    console = Console(stderr=True, highlight=False)
    for line in _plan_lines(prepared, after.limited):
        console.print(line, markup=False, soft_wrap=True)
    try:
        _measure(prepared, into.file, earlier, after.trace, console)
        into.append(_hashes(prepared.paths))
        interrupted = False
    except KeyboardInterrupt:
        into.append(Event(name="interrupted", at=now()))
        interrupted = True
    except UserError:
        _show(analyse(into.read()), after)
        raise
    finally:
        for meter in prepared.meters:
            meter.close()
    _show_and_exit(into, after, interrupted=interrupted)


def _hashes(paths: Mapping[str, Path]) -> Hashes:
    return Hashes(sha256={name: build_sha256(path) for name, path in paths.items()})


def _show_and_exit(into: Place, after: After, *, interrupted: bool) -> NoReturn:
    not_joined = power_log.keep(after.log, into)
    run = into.read()
    found, code = analyse(run), exit_code(run, interrupted=interrupted)
    _show(found, after)
    if after.limited is not None and not interrupted:
        source = Source(name=into.path.name, report=found, run=run)
        judged = judge(source, after.limited.limits, after.format)
        code = judged if code is ExitCode.DONE else code
    console = Console(stderr=True, highlight=False)
    console.print(f"\nRun file: {into.path}", markup=False, soft_wrap=True)
    for said in (after.trace.write(), not_joined):
        if said is not None:
            console.print(printable(said), markup=False, soft_wrap=True)
    raise typer.Exit(code)


def _show(found: Report, after: After) -> None:
    if after.shown:
        show(found, after.format)


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
