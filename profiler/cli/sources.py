"""The documents named on a command line, read and analysed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from profiler import runfile
from profiler.analyse.report import report
from profiler.analyse.source import Source
from profiler.cli.power_log import MeterLog, joined_where_it_fits


def read_sources(
    paths: Sequence[Path], log: MeterLog | None = None, base: str | None = None
) -> list[Source]:
    """Each file as a source, in the order given. Raises `UserError` for a file that is no run file."""
    runs = joined_where_it_fits([runfile.read(path) for path in paths], log)
    return [
        Source(name=path.name, report=report(run, base), run=run)
        for path, run in zip(paths, runs, strict=True)
    ]


def read_content(name: str, content: bytes) -> Source:
    """The same of a file's bytes, wherever they lie."""
    run = runfile.decode(name, content)
    return Source(name=name, report=report(run), run=run)
