"""What `edgeprof compare` does: read, compare, show, and end as the gate says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import msgspec
import typer

from profiler import runfile
from profiler.analyse.compared import Compared
from profiler.analyse.comparing import compare_files
from profiler.analyse.gate import EXIT_CODES
from profiler.cli.power_log import MeterLog, joined_where_it_fits
from profiler.cli.show import on_screen, write
from profiler.cli.values import condition
from profiler.errors import UserError
from profiler.render import compared_terminal, compared_words, formats, junit
from profiler.render.compared_formats import RENDERERS

ROW = re.compile(r"[rx][0-9]+")
"""What rows are called; anything else behind a # is a board."""


class Side(msgspec.Struct, frozen=True):
    """A run file and the row of it that was named, if one was."""

    path: Path
    row: str | None


def start(
    base: str,
    candidate: str | None,
    fail_if: Sequence[str],
    junit_file: Path | None,
    output_format: str | None,
    output: Path | None,
    log: MeterLog | None,
) -> None:
    """The whole command. Ends with the gate's exit code where there are conditions."""
    name = formats.chosen(output_format, output, RENDERERS)
    if junit_file is not None and not fail_if:
        raise UserError(
            "--junit writes what the conditions came to: give one with --fail-if 'decode_tps < -3%'"
        )
    conditions = [condition(text) for text in fail_if]
    ours = side(base, None)
    theirs = side(candidate, ours.path) if candidate is not None else Side(ours.path, None)
    paths = [ours.path] if _same(ours.path, theirs.path) else [ours.path, theirs.path]
    runs = joined_where_it_fits([runfile.read(path) for path in paths], log)
    found = compare_files(
        runs[0],
        runs[1] if len(runs) > 1 else None,
        rows=(ours.row, theirs.row),
        conditions=conditions,
        files=(ours.path.name, theirs.path.name),
    )
    if junit_file is not None:
        write(junit_file, junit.render(found))
    _show(found, name, output)
    if found.result is not None:
        raise typer.Exit(EXIT_CODES[found.result])


def side(word: str, default: Path | None) -> Side:
    """`run.jsonl`, `run.jsonl#r2`, `night.jsonl#cooled#r2`, or `#r2` of the default file.

    A file whose name has a # is found first.
    """
    path, mark, row = word.rpartition("#")
    if not mark or Path(word).exists() or (path and row and ROW.fullmatch(row) is None):
        return Side(Path(word), None)
    if not row or (not path and default is None):
        raise UserError(f"{word!r}: a run file is accepted, with a row of it if you like, as in run.jsonl#r2")
    return Side(Path(path) if path else default or Path(), row)


def _same(one: Path, other: Path) -> bool:
    try:
        return one == other or one.samefile(other)
    except OSError:
        return False


def _show(found: Compared, name: str, output: Path | None) -> None:
    if output is not None:
        write(output, RENDERERS[name](found))
        if found.result is not None:
            typer.echo(f"{compared_words.verdict(found)}: see {output.name}", err=True)
    else:
        on_screen(
            name, lambda: RENDERERS[name](found), lambda width: compared_terminal.renderable(found, width)
        )
