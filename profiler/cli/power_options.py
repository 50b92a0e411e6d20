"""The options of commands that take the log of an external meter."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

PowerLogFile = Annotated[
    Path | None,
    typer.Option(
        "--power-log", metavar="FILE.csv", help="What a wall-plug or USB power meter wrote during the run."
    ),
]
PowerZone = Annotated[
    str | None,
    typer.Option(
        "--power-zone",
        metavar="ZONE",
        help="Zone of the meter's times, such as Europe/Berlin, +02:00 or utc.",
        show_default="this machine's",
    ),
]
PowerOffset = Annotated[
    str | None,
    typer.Option(
        "--power-offset",
        metavar="SECONDS",
        help="How far the meter's clock was ahead; negative if it was behind.",
        show_default="0",
    ),
]
