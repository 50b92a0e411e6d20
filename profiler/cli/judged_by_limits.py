"""What `edgeprof verdict` does: read, judge, show, and end as the verdict says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import typer

from profiler.analyse.limit_metrics import check
from profiler.analyse.shipping import Verdicts, Word, verdicts
from profiler.cli.app import printable
from profiler.cli.power_log import MeterLog
from profiler.cli.show import on_screen, write
from profiler.cli.sources import read_sources
from profiler.documents.limits import Limits, read_limits
from profiler.documents.limits_file import ready_sets
from profiler.errors import ExitCode, UserError
from profiler.render import formats, verdict_terminal, verdict_words
from profiler.render.verdict_formats import RENDERERS

EXIT_CODES = {
    Word.SHIP: ExitCode.DONE,
    Word.SKIP: ExitCode.GATE_FAILED,
    Word.UNDECIDED: ExitCode.UNDECIDED,
}


def start(
    runs: Sequence[Path],
    limits: str | None,
    output_format: str | None,
    output: Path | None,
    log: MeterLog | None,
    *,
    any_row: bool,
) -> None:
    """The whole command. Ends with the exit code of the verdict."""
    name = formats.chosen(output_format, output, RENDERERS)
    if limits is None:
        raise UserError(
            f"--limits is missing: give a TOML file of limits or one of {', '.join(ready_sets())}"
        )
    asked = checked(limits)
    found = verdicts(read_sources(runs, log), asked)
    if output is not None:
        write(output, RENDERERS[name](found))
        typer.echo(printable(f"{verdict_words.answer(found)} See {output.name}"), err=True)
    else:
        show(found, name)
    raise typer.Exit(exit_code(found, any_row=any_row))


def checked(word: str) -> Limits:
    """The limits of a file or ready set, whose metrics there are. Raises `UserError`."""
    limits = read_limits(word)
    check(limits)
    return limits


def show(found: Verdicts, name: str) -> None:
    """A verdict on standard output."""
    on_screen(name, lambda: RENDERERS[name](found), lambda width: verdict_terminal.renderable(found, width))


def exit_code(found: Verdicts, *, any_row: bool = False) -> ExitCode:
    """Of all rows together; with `any_row` one that ships is enough, and one that is undecided leaves it open."""
    words = {item.word for item in found.judgements}
    if any_row and Word.SHIP in words:
        return ExitCode.DONE
    if any_row and Word.UNDECIDED in words:
        return ExitCode.UNDECIDED
    return EXIT_CODES[found.word]
