"""Speed over minutes, with clock and temperature below on the same axis of time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean

import msgspec

from profiler.analyse.metrics import METRICS
from profiler.analyse.report import Report, Row
from profiler.analyse.study import Study
from profiler.analyse.sustained import Sustained, Window
from profiler.render import format as fmt
from profiler.render.charts import lines, picture, rows
from profiler.render.charts.chart import Chart, of_pieces
from profiler.render.charts.lines import Axes, Course
from profiler.render.charts.palette import MUTED
from profiler.render.charts.picture import Key, Piece, heading
from profiler.render.columns import Cell, Table
from profiler.render.columns import Line as TableLine

MOST_WINDOWS = 100
"""Points of a line; of more, neighbours are put together."""

IN_MINUTES_FROM = 120.0
"""Seconds from which on the axis counts minutes."""

GHZ = 1e9


class Panel(msgspec.Struct, frozen=True, kw_only=True):
    """One of the plots: its heading, what it reads of a window, and whether its axis begins at 0."""

    title: str
    reads: Callable[[Window], float | None]
    from_zero: bool
    height: int


def charts(report: Report, _: Study | None) -> list[Chart]:
    """One chart for each metric that was followed over time."""
    found: dict[str, list[Row]] = {}
    for row in report.rows:
        if row.sustained is not None:
            found.setdefault(row.sustained.metric, []).append(row)
    return [_chart(report, metric, mine, n) for n, (metric, mine) in enumerate(found.items())]


def _chart(report: Report, metric: str, every: Sequence[Row], number: int) -> Chart:
    names, some = rows.names(report), every[: lines.MOST_LINES]
    told = f" Shown are the first {len(some)} of {len(every)} rows." if len(every) > len(some) else ""
    label, unit = METRICS[metric].label, METRICS[metric].unit
    panels = [
        Panel(title=f"{label}, {unit}", reads=lambda window: window.speed, from_zero=True, height=170),
        Panel(title="clock, GHz", reads=_gigahertz, from_zero=False, height=80),
        Panel(
            title="temperature, degrees Celsius", reads=lambda w: w.temperature_c, from_zero=False, height=80
        ),
    ]
    return of_pieces(
        report,
        f"sustained-{metric}" if number else "sustained",
        f"Sustained {label}",
        _says(some, unit) + told,
        lambda size: _pieces(some, names, panels, size),
        _table(some, names, unit),
    )


def _gigahertz(window: Window) -> float | None:
    return None if window.clock_hz is None else window.clock_hz / GHZ


def _pieces(
    some: Sequence[Row], names: dict[str, str], panels: Sequence[Panel], size: rows.Size
) -> list[Piece]:
    """Speed first, with the names of the lines, then clock and temperature where they were readable."""
    lasted = max(row.sustained.lasted_s for row in some if row.sustained)
    unit, seconds = ("minutes", 60.0) if lasted >= IN_MINUTES_FROM else ("seconds", 1.0)
    courses = [(panel, [_course(row, names[row.id], panel, seconds) for row in some]) for panel in panels]
    known = [(panel, mine) for panel, mine in courses if any(_values(course) for course in mine)]
    pieces: list[Piece] = []
    for panel, mine in known:
        axes = Axes(
            x_title=unit if panel is known[-1][0] else "",
            x=(0.0, lasted / seconds),
            y=lines.ends([y for course in mine for y in _values(course)], from_zero=panel.from_zero),
            height=max(panel.height, lines.LABEL * len(mine)),
        )
        named = panel is known[0][0]
        pieces += [heading(panel.title), lines.plot(mine, axes, size, symbols=False, named=named)]
    return [*pieces, _key(some, courses[0][1], size)]


def _values(course: Course) -> list[float]:
    return [y for _, y in course.points if y is not None]


def _course(row: Row, name: str, panel: Panel, seconds: float) -> Course:
    """The middle of each window and what was read there, on an axis whose unit is so many seconds."""
    windows = row.sustained.windows if row.sustained else []
    size = -(-len(windows) // MOST_WINDOWS)
    points = [_point(windows[n : n + size], panel, seconds) for n in range(0, len(windows), max(1, size))]
    last = next((fmt.number(y) for _, y in reversed(points) if y is not None), "-")
    says = f"{fmt.plain(row.id)} {name}, {panel.title}: {last} at the end"
    return Course(id=row.id, name=name, points=points, says=says, crossed=panel.from_zero)


def _point(together: Sequence[Window], panel: Panel, seconds: float) -> tuple[float, float | None]:
    """Of several windows together their mean; the speed of a disturbed one is left out."""
    quiet = [window for window in together if not (panel.from_zero and window.intruded)]
    read = [value for value in map(panel.reads, quiet) if value is not None]
    middle = (together[0].start_s + together[-1].end_s) / 2 / seconds
    return middle, fmean(read) if read else None


def _key(some: Sequence[Row], courses: Sequence[Course], size: rows.Size) -> Piece:
    """Lines by name where they are not named in the plot, and what a cross means."""
    entries = [] if size.beside else lines.entries(courses, size)
    if any(window.intruded for row in some if row.sustained for window in row.sustained.windows):
        cross = {"d": lines.CROSS, "transform": "translate(11,0)", "stroke": MUTED, "stroke-width": "1.6"}
        entries.append(Key(paths=[cross], text="left out: others disturbed"))
    return picture.key(entries, size.width)


def _says(some: Sequence[Row], unit: str) -> str:
    """What became of each of the first rows."""
    return " ".join(_told(row.id, row.sustained, unit) for row in some[:2] if row.sustained)


def _told(row_id: str, found: Sustained, unit: str) -> str:
    if found.settled is None:
        return f"{rows.identity(row_id)}: {found.reason or 'it did not settle'}."
    share = f", {fmt.percent(found.ratio)} of its first minute" if found.ratio else ""
    return f"{rows.identity(row_id)} settles at {fmt.number(found.settled)} {unit}{share}."


def _table(some: Sequence[Row], names: dict[str, str], unit: str) -> Table:
    return Table(
        title="Speed over time",
        names=["", "build"],
        figures=[
            ("first minute", unit),
            ("settled", unit),
            ("of the first minute", ""),
            ("hottest", "degrees"),
        ],
        lines=[
            TableLine([fmt.plain(row.id), names[row.id]], _cells(row.sustained))
            for row in some
            if row.sustained
        ],
    )


def _cells(found: Sustained) -> list[Cell]:
    heat = max((w.temperature_c for w in found.windows if w.temperature_c is not None), default=None)
    return [
        Cell("-" if found.first_minute is None else fmt.number(found.first_minute)),
        Cell("-" if found.settled is None else fmt.number(found.settled)),
        Cell("-" if found.ratio is None else fmt.percent(found.ratio)),
        Cell("-" if heat is None else f"{heat:.0f}"),
    ]
