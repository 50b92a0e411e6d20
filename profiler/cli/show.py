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


def on_screen(name: str, text: Callable[[], str], drawn: Callable[[int], RenderableType]) -> None:
    """A text on standard output. A terminal gets it drawn, in colour and its own width."""
    if name == "terminal" and sys.stdout.isatty():
        from rich.console import Console

        console = Console(highlight=False)
        console.print(drawn(console.width))
    else:
        sys.stdout.write(text())


def show(report: Report, name: str) -> None:
    """One report on standard output."""

    def drawn(width: int) -> RenderableType:
        from profiler.render.terminal import renderable

        return renderable(report, width)

    on_screen(name, lambda: formats.render(report, name), drawn)


def show_sources(
    sources: Sequence[Source],
    name: str,
    output: Path | None,
    verdicts: Verdicts | None = None,
    chart: str | None = None,
) -> None:
    """Write sources in this format, to a file or on standard output."""

    def drawn(width: int) -> RenderableType:
        from profiler.render.several_terminal import renderable

        return renderable(sources, width)

    if output is not None:
        write(output, formats.render_sources(sources, name, verdicts, chart))
    elif name == "terminal" and len(sources) == 1:
        show(sources[0].report, name)
    else:
        on_screen(name, lambda: formats.render_sources(sources, name, verdicts, chart), drawn)


def write(path: Path, text: str) -> None:
    """The text as a file. Raises `UserError` when it cannot be written, or would take the place of a run."""
    if is_run(path):
        raise UserError(f"{path} is a run file, which nothing can make again: choose another name with -o")
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}; choose another place with -o") from None
