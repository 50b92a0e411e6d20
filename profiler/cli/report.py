"""`edgeprof report`: a run file as a table, Markdown, CSV or JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from profiler.cli.power_options import PowerLogFile, PowerOffset, PowerZone


def report(
    run: Annotated[Path, typer.Argument(help="A run file that `edgeprof run` wrote.", show_default=False)],
    output_format: Annotated[
        str | None,
        typer.Option("-f", "--format", help="terminal, markdown, csv or json.", show_default="terminal"),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write to a file; its suffix says the format.")
    ] = None,
    base: Annotated[
        str | None, typer.Option("--base", help="Row to compare with, such as r2 (default: the first).")
    ] = None,
    power_log: PowerLogFile = None,
    power_zone: PowerZone = None,
    power_offset: PowerOffset = None,
) -> None:
    """Show what a run measured, recomputed from its raw stamps.

    Example: edgeprof report run.jsonl -o table.md
    """
    from profiler import runfile
    from profiler.analyse.report import report as analyse
    from profiler.cli.power_log import joined, meter_log
    from profiler.cli.show import show

    log = meter_log(power_log, power_zone, power_offset)
    show(analyse(joined(runfile.read(run), log), base), output_format, output)
