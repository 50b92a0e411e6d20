"""What `edgeprof report` does: read, judge if limits were given, and show."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from profiler.analyse.shipping import verdicts
from profiler.cli.power_log import MeterLog
from profiler.cli.show import show_sources
from profiler.cli.sources import read_sources
from profiler.documents.limits import read_limits
from profiler.errors import UserError
from profiler.render import formats

WITH_COMPARISONS = {
    "of one file": ("terminal", "markdown", "json", "html"),
    "of several files": ("json", "html"),
}
"""The formats that show how rows compare, of one file and of several."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked of a report beside its files."""

    output_format: str | None = None
    output: Path | None = None
    base: str | None = None
    limits: str | None = None
    chart: str | None = None
    side_by_side: bool = False
    review: Path | None = None


def start(runs: Sequence[Path], log: MeterLog | None, wanted: Wanted) -> None:
    """The whole command."""
    name = formats.chosen(wanted.output_format, wanted.output, _accepted(wanted))
    refuse_useless(wanted, name, len(runs))
    with without_collection():
        sources = read_sources(runs, log, wanted.base)
        if wanted.side_by_side:
            from profiler.cli.side_by_side import show_side_by_side

            show_side_by_side(sources, wanted.review, name, wanted.output)
        else:
            judged = verdicts(sources, read_limits(wanted.limits)) if wanted.limits is not None else None
            show_sources(sources, name, wanted.output, judged, wanted.chart)


def _accepted(wanted: Wanted) -> tuple[str, ...]:
    if not wanted.side_by_side:
        return formats.OF_REPORTS
    from profiler.render.side_by_side import FORMATS

    return FORMATS


def refuse_useless(wanted: Wanted, name: str, files: int) -> None:
    """Raise `UserError` for a flag that could have no effect, before anything is read."""
    if wanted.review is not None and not wanted.side_by_side:
        raise UserError("--review belongs to --side-by-side: add it, or leave the review out")
    if wanted.chart is not None and name != "svg":
        raise UserError(f"--chart picks one picture of -f svg, and {name} was asked for: add -f svg")
    if wanted.limits is not None and wanted.side_by_side:
        raise UserError(
            "--side-by-side judges by the limits of its review: name them in [[use]] tables there"
        )
    if wanted.limits is not None and name != "html":
        raise UserError(
            "--limits of a report is for a page of HTML; for a verdict type edgeprof verdict RUN --limits FILE"
        )
    if wanted.base is not None:
        _refuse_without_comparisons(name, files, side_by_side=wanted.side_by_side)


def _refuse_without_comparisons(name: str, files: int, *, side_by_side: bool) -> None:
    what = "side by side" if side_by_side else "of one file" if files == 1 else "of several files"
    if name not in WITH_COMPARISONS.get(what, ()):
        raise UserError(
            f"--base is the row that others are compared with, and {name} {what} shows no comparison: leave it out"
        )


@contextmanager
def without_collection() -> Iterator[None]:
    """What a report holds lives until it is written: looking for garbage takes a tenth of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
