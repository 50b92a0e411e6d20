"""`edgeprof compare`: rows of one run, or of two, against each other; and the gate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from profiler.cli.file_options import Format, Output
from profiler.cli.power_options import PowerLogFile, PowerOffset, PowerZone

FailIf = Annotated[
    list[str] | None,
    typer.Option(
        "--fail-if",
        metavar="CONDITION",
        help="End with code 1 where this change is shown, 4 where it is undecided, such as "
        "'decode_tps < -3%' or 'peak_rss_bytes > 5%'; repeatable.",
        show_default=False,
    ),
]


def compare(
    base: Annotated[
        str, typer.Argument(help="A run file, with a row if you like: run.jsonl#r2.", show_default=False)
    ],
    candidate: Annotated[
        str | None,
        typer.Argument(help="Another run file, or a row of the first: #r3.", show_default="the base's file"),
    ] = None,
    fail_if: FailIf = None,
    junit: Annotated[Path | None, typer.Option(help="Write the conditions' results as JUnit XML.")] = None,
    output_format: Format = None,
    output: Output = None,
    power_log: PowerLogFile = None,
    power_zone: PowerZone = None,
    power_offset: PowerOffset = None,
) -> None:
    """Ratios of rows with intervals, a verdict for each, and what differs between them.

    Rows of one run are compared inside its rounds. Rows of two runs are matched by workload, build, engine and
    settings; without an anchor that both runs measured their intervals are wide, because machines drift.

    Example: edgeprof compare run.jsonl --fail-if 'decode_tps < -3%' -o compare.md
    """
    from profiler.cli.comparing import start
    from profiler.cli.power_log import meter_log

    log = meter_log(power_log, power_zone, power_offset)
    start(base, candidate, fail_if or [], junit, output_format, output, log)
