"""Charts of a report: drawn by Vega-Lite from Altair's descriptions, as SVG that follows the page's colours."""

from __future__ import annotations

import msgspec

from profiler.analyse.source import Source
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


def charts(source: Source) -> list[Chart]:
    """Every chart that this source has the figures for, in the order of a report."""
    raise NotImplementedError(source.name)
