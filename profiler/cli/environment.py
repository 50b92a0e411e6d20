"""An environment that the user has agreed to: what it downloads is said, and asked for."""

from __future__ import annotations

import sys

import typer

from profiler.environments.environments import ENVIRONMENTS, make, plan, python_of
from profiler.errors import UserError, nearest


def ready(name: str, *, yes: bool) -> None:
    """Make the environment `name` if it is not there. Raises `UserError` without the user's consent."""
    if name not in ENVIRONMENTS:
        raise UserError(f"there is no environment {name!r}: {nearest(name, ENVIRONMENTS)}")
    if python_of(name) is not None:
        return
    typer.echo(plan(name), err=True)
    if not yes and not (sys.stdin.isatty() and typer.confirm("Install it?", err=True)):
        raise UserError(f"the environment {name} was not made: agree to it with --yes")
    make(name, lambda line: typer.echo(line, err=True))
