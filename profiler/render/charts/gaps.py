"""Gaps between tokens along the answer: a strip for each row with its typical pass, the usual range and all stalls."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from profiler.analyse.plural import plural
from profiler.analyse.report import Report, Row
from profiler.analyse.series import HIGH, LOW, GapCourse, gap_course
from profiler.analyse.stalls import TIMES_MEDIAN
from profiler.analyse.study import Study
from profiler.render import format as fmt
from profiler.render.charts import picture, rows
from profiler.render.charts.chart import Chart, of_pieces
from profiler.render.charts.drawing import PER_CHARACTER, SMALL, table, vega
from profiler.render.charts.palette import COLOURS, LINE, MUTED
from profiler.render.charts.picture import Key, Piece
from profiler.render.columns import Cell, Table
from profiler.render.columns import Line as TableLine

MOST_STRIPS = 12
"""Rows that are drawn: each takes the room of two."""

MOST_POINTS, MOST_STALLS = 300, 40
"""Points of a typical pass, and stalls of a row (its longest), that are drawn."""

STRIP, TALL = 0.62, 64
"""Share of a line that its strip takes on a wide page, and the height of a line in pixels."""

STALL = "M0,-5L4.5,3.5L-4.5,3.5Z"
BAND = 0.28
"""Opacity of the usual range."""


class Strip(msgspec.Struct, frozen=True, kw_only=True):
    """One row to draw."""

    row: Row
    name: str
    course: GapCourse


def charts(report: Report, study: Study | None) -> list[Chart]:
    """One chart, if any pass has ten gaps or more."""
    if study is None:
        return []
    names = rows.names(report)
    measured = [row for row in report.rows if row.metrics and "itl_ms.p50" in row.metrics]
    some = rows.shown(report, measured, MOST_STRIPS)
    found = [(row, gap_course(study.samples[row.id])) for row in some]
    strips = [Strip(row=row, name=names[row.id], course=course) for row, course in found if course]
    if not strips:
        return []
    return [
        of_pieces(
            report,
            "gaps",
            "Gaps between tokens",
            _says(strips) + _beyond(strips) + rows.told(some, measured),
            lambda size: [_plot(strips, _tall(size)), _key(strips, size)],
            _table(strips),
        )
    ]


def _tall(size: rows.Size) -> rows.Size:
    return replace(size, step=TALL if size.beside else TALL + 12)


def _longest(strips: Sequence[Strip]) -> float:
    """The gap at the upper edge of a strip, in ms: all but stalls lie below it."""
    usual = max(stretch.high_ms for strip in strips for stretch in strip.course.stretches)
    return 1.3 * usual or 1.0


def _plot(strips: Sequence[Strip], size: rows.Size) -> Piece:
    alt, count = vega(), len(strips)
    top, tokens = _longest(strips), max(len(strip.course.typical_ms) for strip in strips) + 1
    axis = alt.Axis(grid=False, tickCount=6, title="token of the answer", titleAnchor="end")
    across = {
        "range": [_gutter(top), rows.frame(size, count).width],
        "nice": False,
        "padding": 0,
        "zero": False,
    }
    x = alt.X("token:Q", axis=axis, scale=alt.Scale(domain=[1, tokens], **across))
    y = rows.place(count, "at")
    drawn = [_drawn(n, strip, top, 0.0 if size.beside else 0.1) for n, strip in enumerate(strips)]

    def of(part: str) -> Any:
        return alt.Chart(table([value for values in drawn for value in values[part]]))

    lines = [rows.Line(id=s.row.id, name=s.name, figure=_typical(s), beside=_stalled(s)) for s in strips]
    mark = {"fill": COLOURS[1], "stroke": COLOURS[1], "opacity": 1, "shape": STALL, "size": 4}
    layers = [
        of("rules").mark_rule(stroke=LINE, aria=False).encode(y=y),
        of("band")
        .mark_area(fill=COLOURS[0], fillOpacity=BAND, interpolate="step-after", aria=False)
        .encode(x=x, y=y, y2=alt.Y2("to:Q"), detail=alt.Detail("row:N")),
        of("typical")
        .mark_line(stroke=COLOURS[0], strokeWidth=1.4, aria=False)
        .encode(x=x, y=y, detail=alt.Detail("row:N")),
        of("rules")
        .mark_text(align="left", dx=2, dy=-6, fontSize=SMALL, fill=MUTED, aria=False)
        .encode(x=alt.XValue(0), y=y, text=alt.Text("label:N")),
        of("stalls").mark_point(**mark).encode(x=x, y=y, description=alt.Description("says:N")),
        *rows.texts(lines, size),
    ]
    return Piece.of(layers, rows.frame(size, count))


def _mark(top: float) -> str:
    """The label of the upper rule of a strip."""
    return f"{_round_below(top):g} ms"


def _gutter(top: float) -> int:
    """Pixels at the left of a strip that belong to the labels of its rules."""
    return round(PER_CHARACTER * len(_mark(top))) + 6


def _typical(strip: Strip) -> str:
    return fmt.figure(strip.row.metrics["itl_ms.p50"])


def _stalled(strip: Strip) -> str:
    return "ms, " + plural(len(strip.course.stalls), "stall")


def _drawn(n: int, strip: Strip, top: float, down: float) -> dict[str, list[dict[str, Any]]]:
    """Everything of one strip, its heights as places between line n and n + 1. What is higher lies at its edge."""

    def at(gap_ms: float) -> float:
        return n + 0.5 + down + STRIP * (0.5 - min(1.0, gap_ms / top))

    course, mark = strip.course, _round_below(top)
    step = -(-len(course.typical_ms) // MOST_POINTS)
    band = [(one.first, one.low_ms, one.high_ms) for one in course.stretches]
    band.append((course.stretches[-1].last, *band[-1][1:]))
    worst = sorted(course.stalls, key=lambda one: -one.gap_ms)[:MOST_STALLS]
    return {
        "rules": [{"at": at(0), "label": "0"}, {"at": at(mark), "label": _mark(top)}],
        "band": [{"row": n, "token": token, "at": at(low), "to": at(high)} for token, low, high in band],
        "typical": [
            {"row": n, "token": token, "at": at(max(course.typical_ms[token - 2 : token - 2 + step]))}
            for token in range(2, len(course.typical_ms) + 2, step)
        ],
        "stalls": [
            {
                "token": one.token,
                "at": at(one.gap_ms),
                "says": f"{fmt.plain(strip.row.id)} {fmt.number(one.gap_ms)} ms before token {one.token} "
                f"(round {one.round + 1}, pass {one.number})",
            }
            for one in worst
        ],
    }


def _round_below(top: float) -> float:
    """The largest of 1, 2, 5, 10, ... that lies below the upper edge."""
    power = 10.0 ** math.floor(math.log10(top))
    return max(step * power for step in (0.5, 1, 2, 5) if step * power <= 0.85 * top)


def _key(strips: Sequence[Strip], size: rows.Size) -> Piece:
    entries = [
        Key(paths=[{"d": "M0,0H22", "stroke": COLOURS[0], "stroke-width": "1.4"}], text="typical pass"),
        Key(
            paths=[{"d": "M0,-6H22V6H0Z", "fill": COLOURS[0], "fill-opacity": f"{BAND}"}],
            text=f"{LOW}th to {HIGH}th percentile of all passes",
        ),
    ]
    if any(strip.course.stalls for strip in strips):
        mark = {"d": STALL, "transform": "translate(11,0)", "fill": COLOURS[1]}
        entries.append(Key(paths=[mark], text=f"stall: over {TIMES_MEDIAN}x the median of its pass"))
    return picture.key(entries, size.width)


def _says(strips: Sequence[Strip]) -> str:
    """How many stalls there were, and the longest of them."""
    every = [(one, strip.row.id) for strip in strips for one in strip.course.stalls]
    if not every:
        return f"No gap is longer than {TIMES_MEDIAN} times the median of its pass: no stalls."
    longest, row_id = max(every, key=lambda found: found[0].gap_ms)
    return (
        f"{plural(len(every), 'stall')} (gaps over {TIMES_MEDIAN} times the median of their pass); the longest, "
        f"{fmt.number(longest.gap_ms)} ms, came before token {longest.token} of {rows.identity(row_id)}."
    )


def _beyond(strips: Sequence[Strip]) -> str:
    """A sentence where something is longer than the strips are high."""
    drawn = [one.gap_ms for strip in strips for one in strip.course.stalls]
    drawn += [gap for strip in strips for gap in strip.course.typical_ms]
    return " Gaps beyond a strip stand at its upper edge." if max(drawn) > _longest(strips) else ""


def _table(strips: Sequence[Strip]) -> Table:
    return Table(
        title=f"Stalls: gaps over {TIMES_MEDIAN} times the median of their pass",
        names=["", "build"],
        figures=[("passes", ""), ("stalls", ""), ("longest", "ms")],
        lines=[TableLine([fmt.plain(strip.row.id), strip.name], _cells(strip.course)) for strip in strips],
    )


def _cells(course: GapCourse) -> list[Cell]:
    longest = max((one.gap_ms for one in course.stalls), default=None)
    return [
        Cell(f"{course.passes}"),
        Cell(f"{len(course.stalls)}"),
        Cell("-" if longest is None else fmt.number(longest)),
    ]
