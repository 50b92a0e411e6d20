"""The documents named on a command line, read and analysed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from profiler import runfile
from profiler.analyse.imported import imported_report
from profiler.analyse.report import report
from profiler.analyse.source import Source, named_apart
from profiler.cli.power_log import MeterLog, joined_where_it_fits
from profiler.errors import UserError
from profiler.runfile.imported import Imported, decode_imported, holds_imported, is_imported, read_imported


def read_sources(paths: Sequence[Path], log: MeterLog | None = None, base: str | None = None) -> list[Source]:
    """Each file as a source, in the order given, under a name of its own: a run, or imported figures.

    A file of several boards makes a source of each. Raises `UserError` for a file that is neither, and for a base where
    there is no run.
    """
    documents = [
        (name, document)
        for path in paths
        for name, document in (
            [(path.name, read_imported(path))] if is_imported(path) else runfile.read_named(path).items()
        )
    ]
    runs = [document for _, document in documents if isinstance(document, runfile.Run)]
    if not runs and (base is not None or log is not None):
        raise UserError("imported figures have no rounds and no times: leave --base and --power-log out")
    joined = iter(joined_where_it_fits(runs, log))
    found = [
        _of_run(name, next(joined), base)
        if isinstance(document, runfile.Run)
        else _of_document(name, document)
        for name, document in documents
    ]
    return named_apart(found)


def read_content(name: str, content: bytes) -> Source:
    """One file of which the bytes are known already, wherever they lie. Raises `UserError`."""
    if holds_imported(content):
        return _of_document(name, decode_imported(name, content))
    return _of_run(name, runfile.decode(name, content), None)


def _of_document(name: str, document: Imported) -> Source:
    with _said_of(name):
        return Source(name=name, report=imported_report(document), run=None)


def _of_run(name: str, run: runfile.Run, base: str | None) -> Source:
    with _said_of(name):
        return Source(name=name, report=report(run, base), run=run)


@contextmanager
def _said_of(name: str) -> Iterator[None]:
    """What the analysis refuses, which knows no files, with the name of the file before it."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{name}: {error}") from None
