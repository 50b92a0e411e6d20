"""Reports on the screen or in a file. What draws on a terminal is imported where one is drawn on."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from profiler.analyse.report import Report
from profiler.analyse.shipping import Verdicts
from profiler.analyse.source import Source
from profiler.errors import UserError
from profiler.render import formats
from profiler.runfile import is_run

if TYPE_CHECKING:
    from rich.console import RenderableType


def show(report: Report, name: str) -> None:
    """One report on standard output. A terminal gets colour and its own width."""
    if name == "terminal" and sys.stdout.isatty():
        from profiler.render.terminal import renderable

        _print(lambda width: renderable(report, width))
    else:
        sys.stdout.write(formats.render(report, name))


def show_sources(
    sources: Sequence[Source],
    output_format: str | None,
    output: Path | None,
    verdicts: Verdicts | None = None,
    chart: str | None = None,
) -> None:
    """Write sources where and how the user asked."""
    name = formats.chosen(output_format, output, formats.OF_REPORTS)
    if output is not None:
        write(output, formats.render_sources(sources, name, verdicts, chart))
    elif name == "terminal" and len(sources) == 1:
        show(sources[0].report, name)
    elif name == "terminal" and sys.stdout.isatty():
        from profiler.render.several_terminal import renderable

        _print(lambda width: renderable(sources, width))
    else:
        sys.stdout.write(formats.render_sources(sources, name, verdicts, chart))


def _print(drawn: Callable[[int], RenderableType]) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    console.print(drawn(console.width))


def write(path: Path, text: str) -> None:
    """The text as a file. Raises `UserError` when it cannot be written, or would take the place of a run."""
    if is_run(path):
        raise UserError(f"{path} is a run file, which nothing can make again: choose another name with -o")
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}; choose another place with -o") from None
