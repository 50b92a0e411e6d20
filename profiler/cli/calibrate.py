"""`edgeprof calibrate`: what this machine can do with the engine's own kernels, for predictions."""

from __future__ import annotations

from typing import Annotated

import typer


def calibrate(
    threads: Annotated[
        str | None,
        typer.Option(
            "-t",
            "--threads",
            help="Numbers of threads, such as 4,8; the first is measured with every storage type.",
            show_default="the usual number, and 1",
        ),
    ] = None,
    seconds: Annotated[
        float,
        typer.Option(help="Time to measure in. What does not fit is left out and named.", min=20, max=3600),
    ] = 170,
) -> None:
    """Measures this machine on small models of random weights, so that `predict` knows its speed.

    Storage types, threads, prompts, single tokens and depths, by llama.cpp's own kernels. Nothing else should run.

    Example: edgeprof calibrate
    """
    from profiler.cli.calibrating import start

    start(threads, seconds)
