"""A run with what is predicted of it, and a line on the screen where a calibration cannot be used."""

from __future__ import annotations

import typer

from profiler.cli.app import printable
from profiler.measure.start import Prepared
from profiler.predicting.before_run import with_predictions


def foretold(prepared: Prepared) -> Prepared:
    """Ask the calibration of this machine; a broken one never keeps a run from starting."""
    found, why_not = with_predictions(prepared)
    if why_not is not None:
        typer.echo(printable(why_not), err=True)
    return found
