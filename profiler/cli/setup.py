"""`edgeprof setup`: environments of their own for the packages that cannot share ours."""

from __future__ import annotations

from typing import Annotated

import typer


def setup(
    name: Annotated[str, typer.Argument(help="optimum, genai or openvino.", show_default=False)],
    yes: Annotated[bool, typer.Option("--yes", help="Install without asking.")] = False,
) -> None:
    """Make the environment that an engine or a way of building needs. Says first what it downloads.

    Example: edgeprof setup optimum
    """
    from profiler.cli.environment import ready

    ready(name, yes=yes)
    typer.echo(f"The environment {name} is ready.")
