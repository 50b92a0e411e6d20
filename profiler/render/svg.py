"""One chart as a picture of its own: colours for light and dark, its title and what it says within."""

from __future__ import annotations

from collections.abc import Sequence

from profiler.analyse.source import Source
from profiler.errors import UserError
from profiler.render.charts import charts
from profiler.render.charts.standalone import standalone


def render(sources: Sequence[Source], chart: str | None) -> str:
    """The chart of this name, or the first there is, as a file of SVG.

    Raises `UserError` for several sources, for a name that this run has no chart of, and where nothing can be drawn.
    """
    if len(sources) != 1:
        raise UserError(f"a picture shows one run file, and {len(sources)} were given: name one of them")
    found = {one.name: one for one in charts(sources[0])}
    if not found:
        raise UserError(f"{sources[0].name}: there is nothing to draw, for no case of it has figures")
    if chart is not None and chart not in found:
        raise UserError(f"{sources[0].name} has no chart {chart!r}: its charts are {', '.join(found)}")
    wanted = found[chart or next(iter(found))]
    return standalone(wanted.wide, wanted.title, wanted.says)
