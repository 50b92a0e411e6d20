"""When passes were measured, and which were left out: a line for each row, time from left to right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from profiler.analyse.plural import plural
from profiler.analyse.report import Report, Row
from profiler.analyse.study import Study
from profiler.analyse.timeline import Fate, Span, Timeline, timeline
from profiler.render import format as fmt
from profiler.render.charts import picture, rows
from profiler.render.charts.chart import Chart, of_pieces
from profiler.render.charts.drawing import table, vega
from profiler.render.charts.palette import COLOURS, INK, MUTED, SURFACE
from profiler.render.charts.picture import Key, Piece
from profiler.render.columns import Cell, Table
from profiler.render.columns import Line as TableLine

SHORTEST = 1.6
"""Pixels that every span has, however short it was."""

IN_SECONDS_TO = 3.0
"""Minutes up to which the axis counts seconds."""


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """How spans of one fate are drawn: words of the key, thickness of the bar, colour, and a symbol on it."""

    words: str
    thick: int
    colour: str
    symbol: str | None = None


CROSS = "M-4,-4L4,4M-4,4L4,-4"
RING = "M-3.5,0a3.5,3.5,0,1,0,7,0a3.5,3.5,0,1,0,-7,0Z"
DIAMOND = "M0,-5L5,0L0,5L-5,0Z"
LOOKS: dict[Fate, Look] = {
    "counted": Look(words="counted", thick=10, colour=COLOURS[0]),
    "kept": Look(words="counted though disturbed", thick=10, colour=COLOURS[0], symbol=RING),
    "disturbed": Look(words="left out: others disturbed", thick=4, colour=COLOURS[1], symbol=CROSS),
    "again": Look(words="left out: round measured again", thick=4, colour=MUTED),
    "failed": Look(words="left out: worker failed", thick=4, colour=INK, symbol=DIAMOND),
}
WHY_OUT: dict[Fate, str] = {
    "disturbed": "disturbed by others",
    "again": "of rounds that were measured again",
    "failed": "of workers that failed",
}
COUNTED: tuple[Fate, ...] = ("counted", "kept")


def charts(report: Report, study: Study | None) -> list[Chart]:
    """One chart of a run whose stamps are there."""
    if study is None:
        return []
    candidates = [row for row in report.rows if any(worker.passes for worker in study.workers[row.id])]
    some, names = rows.shown(report, candidates), rows.names(report)
    course = timeline(study, [row.id for row in some])
    if course is None or not course.spans:
        return []
    of_rows = {row.id: [span for span in course.spans if span.row == row.id] for row in some}
    lines = [_line(row, names[row.id], of_rows[row.id]) for row in some]
    return [
        of_pieces(
            report,
            "intrusions",
            "Passes over time",
            _says(course) + rows.told(some, candidates),
            lambda size: [_plot(course, some, lines, size), _key(course, size)],
            _table(some, names, of_rows),
        )
    ]


def _amounts(spans: Sequence[Span]) -> Counter[Fate]:
    """Passes by their fate."""
    found: Counter[Fate] = Counter()
    for span in spans:
        found[span.fate] += span.passes
    return found


def _line(row: Row, name: str, spans: Sequence[Span]) -> rows.Line:
    amounts = _amounts(spans)
    counted = sum(amounts[fate] for fate in COUNTED)
    return rows.Line(id=row.id, name=name, figure=f"{counted}", beside=f"of {amounts.total()}")


def _plot(course: Timeline, some: Sequence[Row], lines: Sequence[rows.Line], size: rows.Size) -> Piece:
    alt, frame = vega(), rows.frame(size, len(lines))
    place = {row.id: n + 0.5 for n, row in enumerate(some)}
    least = SHORTEST * course.length_min / frame.width
    unit, per_minute = ("minutes", 1.0) if course.length_min > IN_SECONDS_TO else ("seconds", 60.0)
    axis = alt.Axis(grid=True, tickCount=6, title=unit, titleAnchor="end")
    scale = alt.Scale(domain=[0, per_minute * (course.length_min or 1)], nice=False, padding=0)
    x, y = alt.X("start:Q", axis=axis, scale=scale), rows.place(len(lines))
    layers = []
    for fate, look in LOOKS.items():
        spans = [_drawn(span, place, least, per_minute) for span in course.spans if span.fate == fate]
        base = alt.Chart(table(spans))
        down = {"yOffset": rows.shift(size), "stroke": look.colour, "opacity": 1}
        if spans:
            layers.append(
                base.mark_rule(**down, strokeWidth=look.thick, aria=fate != "counted").encode(
                    x=x, x2=alt.X2("end:Q"), y=y, description=alt.Description("says:N")
                )
            )
        if spans and look.symbol:
            fill = look.colour if look.symbol == DIAMOND else SURFACE if look.symbol == RING else None
            mark = base.mark_point(**down, shape=look.symbol, size=4, strokeWidth=2, fill=fill)
            layers.append(mark.encode(x=alt.X("centre:Q"), y=y, description=alt.Description("says:N")))
    return Piece.of([*layers, *rows.texts(lines, size)], frame)


def _drawn(span: Span, place: Mapping[str, float], least: float, unit: float) -> dict[str, Any]:
    why = f": {fmt.plain(span.why)}" if span.why else ""
    what = f"{plural(span.passes, 'pass')} {LOOKS[span.fate].words}"
    return {
        "middle": place[span.row],
        "start": unit * span.start_min,
        "end": unit * max(span.end_min, span.start_min + least),
        "centre": unit * (span.start_min + span.end_min) / 2,
        "says": f"{fmt.plain(span.row)} round {span.round + 1}, {what}{why}",
    }


def _key(course: Timeline, size: rows.Size) -> Piece:
    entries = []
    for fate, look in LOOKS.items():
        if any(span.fate == fate for span in course.spans):
            paths = [{"d": "M1,0H21", "stroke": look.colour, "stroke-width": f"{look.thick}"}]
            if look.symbol:
                fill = look.colour if look.symbol == DIAMOND else SURFACE if look.symbol == RING else "none"
                mark = {"d": look.symbol, "transform": "translate(11,0)", "fill": fill}
                paths.append(mark | {"stroke": look.colour, "stroke-width": "2"})
            entries.append(Key(paths=paths, text=look.words))
    return picture.key(entries, size.width)


def _says(course: Timeline) -> str:
    amounts = _amounts(course.spans)
    out = [f"{amounts[fate]} {words}" for fate, words in WHY_OUT.items() if amounts[fate]]
    told = f"{sum(amounts[fate] for fate in COUNTED)} of {plural(amounts.total(), 'pass')} counted"
    told += f"; left out: {', '.join(out)}." if out else "; none was left out."
    if amounts["kept"]:
        told += f" {amounts['kept']} counted although others disturbed them: too few were quiet."
    if course.paused_min:
        told += f" A pause of {fmt.duration(60 * course.paused_min)} is cut out."
    return told


def _table(some: Sequence[Row], names: Mapping[str, str], of_rows: Mapping[str, Sequence[Span]]) -> Table:
    """How many passes of each row had which fate, and the reasons that were read most often."""
    fates = [fate for fate in LOOKS if any(span.fate == fate for spans in of_rows.values() for span in spans)]
    lines = []
    for row in some:
        amounts = _amounts(of_rows[row.id])
        lines.append(
            TableLine([fmt.plain(row.id), names[row.id]], [Cell(f"{amounts[fate]}") for fate in fates])
        )
    return Table(
        title="Passes, warm-ups apart",
        names=["", "build"],
        figures=[(LOOKS[fate].words, "") for fate in fates],
        lines=lines,
    )
