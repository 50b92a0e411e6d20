"""`edgeprof verdict`: ship, skip or undecided, by the limits of a use."""

from __future__ import annotations

from typing import Annotated

import typer

from profiler.cli.file_options import Format, Output, Runs
from profiler.cli.power_options import PowerLogFile, PowerOffset, PowerZone


def verdict(
    runs: Runs,
    limits: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|NAME",
            help="A TOML file of limits, or a ready set: voice-assistant, laptop-chat, code-completion, board-batch.",
            show_default=False,
        ),
    ] = None,
    any_row: Annotated[
        bool, typer.Option("--any", help="End with code 0 if one row ships at least.")
    ] = False,
    output_format: Format = None,
    output: Output = None,
    power_log: PowerLogFile = None,
    power_zone: PowerZone = None,
    power_offset: PowerOffset = None,
) -> None:
    """Judge each row by limits: ship, skip or undecided, with the reason and what would change it.

    Ends with code 0 if every row that the limits speak of ships, 1 if one is to skip, 4 if it is undecided.

    Example: edgeprof verdict run.jsonl --limits laptop-chat
    """
    from profiler.cli.judged_by_limits import start
    from profiler.cli.power_log import meter_log

    log = meter_log(power_log, power_zone, power_offset)
    start(runs, limits, output_format, output, log, any_row=any_row)
