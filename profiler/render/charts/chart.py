"""What a chart is, and how one is put together from its pieces at both widths."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from profiler.analyse.report import Report
from profiler.render.charts.picture import Piece, picture
from profiler.render.charts.rows import NARROW, WIDE, Size
from profiler.render.columns import Table


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """One picture. `says` is what it shows in one or two sentences, `table` the same figures to read.

    `wide` and `narrow` are the same chart as SVG for a page of about 600 and of about 340 pixels.
    """

    name: str
    title: str
    says: str
    wide: str
    narrow: str
    table: Table | None


def of_pieces(
    report: Report,
    name: str,
    title: str,
    says: str,
    pieces: Callable[[Size], Sequence[Piece]],
    table: Table | None = None,
) -> Chart:
    """A chart from what its pieces are at a width; `table` is None where the report has the figures already."""

    def at(size: Size) -> str:
        return picture(pieces(size), size.width, f"chart-{name}-{report.run_id[:8]}-{size.name}", title, says)

    return Chart(name=name, title=title, says=says, wide=at(WIDE), narrow=at(NARROW), table=table)
