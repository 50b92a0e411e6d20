"""Charts of a report: described with Altair, drawn by Vega-Lite as SVG that follows the page's colours."""

from __future__ import annotations

from profiler.analyse.source import Source
from profiler.render.charts import (
    bandwidth,
    depth,
    energy,
    gaps,
    intrusions,
    memory,
    profile,
    speeds,
    sustained,
)
from profiler.render.charts.chart import Chart
from profiler.render.charts.drawing import unchecked

__all__ = ["Chart", "charts"]

MAKERS = (
    speeds.charts,
    profile.charts,
    depth.charts,
    gaps.charts,
    memory.charts,
    sustained.charts,
    energy.charts,
    bandwidth.charts,
    intrusions.charts,
)
"""What makes the charts of a report, in its order."""


def charts(source: Source) -> list[Chart]:
    """Every chart that this source has the figures for, in the order of a report.

    Raises `UserError` where a package that draws is missing.
    """
    with unchecked():
        return [chart for make in MAKERS for chart in make(source.report, source.study)]
