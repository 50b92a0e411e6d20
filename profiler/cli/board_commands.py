"""`edgeprof board`: an engine for a board, and everything of ours off it again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

board = typer.Typer(
    help="Boards that OpenSSH reaches, for `edgeprof run --on`.",
    epilog="Example: edgeprof board setup pi@raspberrypi.local",
    rich_markup_mode=None,
)

Host = Annotated[str, typer.Argument(metavar="USER@BOARD", help="As ssh takes it.", show_default=False)]
Python = Annotated[str, typer.Option("--board-python", help="Python 3.9 or later there.", metavar="COMMAND")]


@board.command()
def setup(
    host: Host,
    engine: Annotated[
        str, typer.Option(help="Engines, such as llama-cpp,ort,ort-genai.", metavar="ENGINE,...")
    ] = "llama-cpp",
    library: Annotated[
        Path | None,
        typer.Option(help="Folder with libllama.so for the board.", show_default="this machine's own"),
    ] = None,
    wheels: Annotated[
        Path | None,
        typer.Option(
            help="Folder with wheels of ort or ort-genai for the board.", show_default="pip's index"
        ),
    ] = None,
    python: Python = "python3",
) -> None:
    """Puts engines into a folder of their own on the board. Nothing is compiled or installed there.

    Example: edgeprof board setup pi@raspberrypi.local --engine ort
    """
    from profiler.boards.boarding import boarded
    from profiler.boards.engines import Wanted
    from profiler.cli.ending import as_interrupts
    from profiler.cli.progress import progress
    from profiler.cli.values import several

    wanted = Wanted(engines=several("--engine", engine), library=library, wheels=wheels)
    wanted.check()
    with as_interrupts(), boarded(host, python) as reached, progress() as line:
        titles = reached.set_up(wanted, line.bytes, line.keep)
    typer.echo(f"{host} has {', '.join(titles)}: edgeprof run BUILD --on {host}")


@board.command()
def clean(host: Host, python: Python = "python3") -> None:
    """Removes everything that edgeprof has put on a board: worker, engines, builds.

    Example: edgeprof board clean pi@raspberrypi.local
    """
    from profiler.boards.boarding import boarded
    from profiler.cli.ending import as_interrupts

    with as_interrupts(), boarded(host, python) as reached:
        there = reached.clean()
    typer.echo(f"{host}: removed" if there else f"{host}: there was nothing")
