"""Values as points with their intervals, a line for each row, on an axis that begins at 0."""

from __future__ import annotations

from collections.abc import Sequence

from profiler.analyse.estimate import Estimate
from profiler.render import format as fmt
from profiler.render.charts import picture, rows
from profiler.render.charts.drawing import vega
from profiler.render.charts.palette import COLOURS, LINE, MUTED, SURFACE
from profiler.render.charts.picture import Key, Piece

REFERENCE = {"d": "M1,-4H21V4H1Z", "fill": LINE, "stroke": MUTED}
BAR = {"d": "M1,0H21M1,-4V4M21,-4V4", "stroke": COLOURS[0], "stroke-width": "2"}
POINT = {"d": "M7,0a4,4,0,1,0,8,0a4,4,0,1,0,-8,0Z", "stroke": COLOURS[0], "stroke-width": "2"}


def line(
    row_id: str,
    name: str,
    estimate: Estimate,
    unit: str,
    *,
    best: bool = False,
    reference: float | None = None,
) -> rows.Line:
    """One row of such a chart. `reference` is a length that is drawn beneath the point."""
    return rows.Line(
        id=row_id,
        name=name,
        figure=fmt.figure(estimate),
        beside=fmt.spread(estimate) + (" best" if best else ""),
        drawn={
            "value": estimate.value,
            "low": estimate.low,
            "high": estimate.high,
            "reference": reference,
            "fill": SURFACE if estimate.provisional else COLOURS[0],
            "says": f"{fmt.plain(row_id)} {name}: {worded(estimate, unit)}",
        },
    )


def worded(estimate: Estimate, unit: str) -> str:
    """156 tok/s (146 to 166)."""
    shown = f"{fmt.figure(estimate)} {unit}"
    if estimate.low is None or estimate.high is None:
        return shown
    return f"{shown} ({fmt.number(estimate.low)} to {fmt.number(estimate.high)})"


def plot(lines: Sequence[rows.Line], size: rows.Size, unit: str) -> Piece:
    """Points and intervals of these lines."""
    alt, y, down = vega(), rows.place(len(lines)), rows.shift(size)
    axis = alt.Axis(grid=True, tickCount=4, format="~f", title=unit, titleAnchor="end")
    scale = alt.Scale(domain=[0, max(map(_furthest, lines))], nice=True, padding=0)
    base, x = alt.Chart(rows.data(lines, size)), alt.X("value:Q", axis=axis, scale=scale)
    thin = {"stroke": COLOURS[0], "strokeWidth": 2, "opacity": 1, "yOffset": down, "aria": False}
    end = {"shape": "stroke", "angle": 90, "size": 90, **thin}
    says, fill = alt.Description("says:N"), alt.Fill("fill:N", scale=None)
    layers = [
        base.mark_bar(
            fill=LINE, stroke=MUTED, strokeWidth=1, height=9, orient="horizontal", yOffset=down, aria=False
        ).encode(x=alt.X("reference:Q"), y=y),
        base.mark_rule(**thin).encode(x=alt.X("low:Q"), x2=alt.X2("high:Q"), y=y),
        base.mark_point(**end).encode(x=alt.X("low:Q"), y=y),
        base.mark_point(**end).encode(x=alt.X("high:Q"), y=y),
        base.mark_point(**thin | {"aria": True}, size=64).encode(x=x, y=y, fill=fill, description=says),
        *rows.texts(lines, size),
    ]
    return Piece.of(layers, rows.frame(size, len(lines)))


def _furthest(one: rows.Line) -> float:
    ends = map(one.drawn.get, ("value", "high", "reference"))
    return max(float(end) for end in ends if end is not None)


def key(lines: Sequence[rows.Line], size: rows.Size, reference: str | None = None) -> Piece:
    """What point, bar, open point and the length beneath them mean."""
    text = "value and its 95% interval" if any(one.drawn["low"] for one in lines) else "value of one process"
    fills = {one.drawn["fill"] for one in lines}
    entries = [Key(paths=[BAR, POINT | {"fill": COLOURS[0]}], text=text)] if COLOURS[0] in fills else []
    if SURFACE in fills:
        entries.append(Key(paths=[BAR, POINT | {"fill": SURFACE}], text="provisional: few rounds"))
    if reference and any(one.drawn["reference"] for one in lines):
        entries.append(Key(paths=[REFERENCE], text=reference))
    return picture.key(entries, size.width)
