"""What `edgeprof report` does with the sources it has read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from profiler.analyse.source import Source
from profiler.cli.show import show_sources
from profiler.errors import UserError
from profiler.render import formats


def refuse_useless(
    output_format: str | None,
    output: Path | None,
    limits: str | None,
    chart: str | None,
    review: Path | None,
    *,
    side_by_side: bool,
) -> None:
    """Raise `UserError` for a flag that could have no effect, before anything is read."""
    name = formats.chosen(output_format, output, formats.OF_REPORTS)
    if review is not None and not side_by_side:
        raise UserError("--review belongs to --side-by-side: add it, or leave the review out")
    if chart is not None and name != "svg":
        raise UserError(f"--chart picks one picture of -f svg, and {name} was asked for: add -f svg")
    if limits is not None and (name != "html" or side_by_side):
        raise UserError(
            "--limits of a report is for a page of HTML; for a verdict type edgeprof verdict RUN --limits FILE"
        )


def reports(
    sources: Sequence[Source],
    limits: str | None,
    chart: str | None,
    output_format: str | None,
    output: Path | None,
) -> None:
    """One source as its report, several as models by devices."""
    from profiler.analyse.shipping import verdicts
    from profiler.documents.limits import read_limits

    judged = verdicts(sources, read_limits(limits)) if limits is not None else None
    show_sources(sources, output_format, output, judged, chart)


def side_by_side(
    sources: Sequence[Source], review: Path | None, output_format: str | None, output: Path | None
) -> None:
    """Models beside each other, with what a review says of them."""
    from profiler.cli.side_by_side import start

    start(sources, review, output_format, output)
