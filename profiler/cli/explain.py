"""`edgeprof explain`: how one cell of a report was computed, from raw stamps on."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from profiler.cli.power_options import PowerLogFile, PowerOffset, PowerZone

if TYPE_CHECKING:
    from rich.console import RenderableType

FORMATS = ("json", "terminal")


def explain(
    run: Annotated[Path, typer.Argument(help="A run file that `edgeprof run` wrote.", show_default=False)],
    row: Annotated[str, typer.Argument(help="A row of its report, such as r2.", show_default=False)],
    metric: Annotated[
        str, typer.Argument(help="A metric, such as decode_tps or itl_ms.p99.", show_default=False)
    ],
    base: Annotated[
        str | None, typer.Option("--base", help="Explain the ratio to this row instead, and its verdict.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Shorten no list.")] = False,
    output_format: Annotated[str, typer.Option("-f", "--format", help="terminal or json.")] = "terminal",
    power_log: PowerLogFile = None,
    power_zone: PowerZone = None,
    power_offset: PowerOffset = None,
) -> None:
    """Show how a figure was computed: raw stamps, formula, value of each process, interval, cell.

    Example: edgeprof explain run.jsonl r2 decode_tps
    """
    from profiler import runfile
    from profiler.analyse.explanation import explain as explain_cell
    from profiler.analyse.ratio_explanation import explain_ratio
    from profiler.cli.power_log import joined, meter_log
    from profiler.errors import UserError, nearest
    from profiler.render import explained, explained_ratio, json

    if output_format not in FORMATS:
        raise UserError(f"there is no format {output_format!r} here: {nearest(output_format, FORMATS)}")
    seen = joined(runfile.read(run), meter_log(power_log, power_zone, power_offset))
    if base is None:
        cell = explain_cell(seen, row, metric)
        document, shown = json.encoded(cell), explained.renderable(cell, every)
    else:
        ratio = explain_ratio(seen, row, metric, base)
        document, shown = json.encoded(ratio), explained_ratio.renderable(ratio, every)
    if output_format == "json":
        sys.stdout.write(document)
    else:
        _print(shown)


def _print(part: RenderableType) -> None:
    """On a terminal with its own width, elsewhere as plain text."""
    from rich.console import Console

    from profiler.render.terminal import WIDTH_WITHOUT_TERMINAL, as_text

    if sys.stdout.isatty():
        Console(highlight=False).print(part)
    else:
        sys.stdout.write(as_text(part, WIDTH_WITHOUT_TERMINAL))
