"""A report on the screen or in a file."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console

from profiler.analyse.report import Report
from profiler.errors import UserError
from profiler.render import formats, terminal


def show(report: Report, output_format: str | None, output: Path | None) -> None:
    """Write the report where and how the user asked. A terminal gets colour and its own width."""
    name = formats.chosen(output_format, output)
    if output is not None:
        write(output, formats.render(report, name))
    elif name == "terminal" and sys.stdout.isatty():
        console = Console(highlight=False)
        console.print(terminal.renderable(report, console.width))
    else:
        sys.stdout.write(formats.render(report, name))


def write(path: Path, text: str) -> None:
    """The text as a file. Raises `UserError` when it cannot be written."""
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}") from None
