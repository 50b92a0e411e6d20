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
    library: Annotated[
        Path | None,
        typer.Option(help="Folder with libllama.so for the board.", show_default="this machine's own"),
    ] = None,
    python: Python = "python3",
) -> None:
    """Puts llama.cpp into a folder of its own on the board. Nothing is compiled or installed there.

    Example: edgeprof board setup pi@raspberrypi.local --library llama-aarch64
    """
    from profiler.boards.boarding import boarded
    from profiler.cli.progress import progress

    with boarded(host, python) as reached, progress() as line:
        version = reached.set_up(library, lambda what, done, size: line.bytes(f"{what} -> board", done, size))
    typer.echo(f"llama.cpp of llama-cpp-python {version} is on {host}: edgeprof run BUILD --on {host}")


@board.command()
def clean(host: Host, python: Python = "python3") -> None:
    """Removes everything that edgeprof has put on a board: worker, engines, builds.

    Example: edgeprof board clean pi@raspberrypi.local
    """
    from profiler.boards.boarding import boarded

    with boarded(host, python) as reached:
        there = reached.clean()
    typer.echo(f"{host}: removed" if there else f"{host}: there was nothing")
