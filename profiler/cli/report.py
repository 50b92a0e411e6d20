"""`edgeprof report`: run files as a table, a page, Markdown, CSV, JSON or a chart."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from profiler.cli.file_options import Output, Runs
from profiler.cli.power_options import PowerLogFile, PowerOffset, PowerZone

Base = Annotated[
    str | None, typer.Option("--base", help="Row to compare with, such as r2 (default: the first).")
]
Limits = Annotated[
    str | None,
    typer.Option(help="Limits that an HTML page judges by: a TOML file or a ready set, see `verdict`."),
]


def report(
    runs: Runs,
    output_format: Annotated[
        str | None,
        typer.Option(
            "-f", "--format", help="terminal, markdown, html, csv, json or svg.", show_default="terminal"
        ),
    ] = None,
    output: Output = None,
    base: Base = None,
    limits: Limits = None,
    chart: Annotated[str | None, typer.Option(help="With -f svg: which chart.", show_default="first")] = None,
    side_by_side: Annotated[
        bool, typer.Option("--side-by-side", help="Models beside each other, as a review shows them.")
    ] = False,
    review: Annotated[
        Path | None, typer.Option(help="With --side-by-side: TOML file of votes, quotes, costs and uses.")
    ] = None,
    power_log: PowerLogFile = None,
    power_zone: PowerZone = None,
    power_offset: PowerOffset = None,
) -> None:
    """Show what runs measured, recomputed from their raw stamps; several files as models by devices.

    Example: edgeprof report run.jsonl -o page.html
    """
    from profiler.cli.power_log import meter_log
    from profiler.cli.reporting import Wanted, start

    wanted = Wanted(
        output_format=output_format,
        output=output,
        base=base,
        limits=limits,
        chart=chart,
        side_by_side=side_by_side,
        review=review,
    )
    start(runs, meter_log(power_log, power_zone, power_offset), wanted)
