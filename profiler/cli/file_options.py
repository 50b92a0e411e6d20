"""Arguments that commands have in common: run files, and where and how the answer is written."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Runs = Annotated[
    list[Path],
    typer.Argument(metavar="RUN...", help="Run files, or imported figures.", show_default=False),
]
Output = Annotated[
    Path | None, typer.Option("-o", "--output", help="Write to a file; its suffix says the format.")
]
Format = Annotated[
    str | None,
    typer.Option("-f", "--format", help="terminal, markdown or json.", show_default="terminal"),
]
