"""Courses as lines, each with a colour, a dash and a symbol of its own, and its name where it ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from profiler.render.charts.drawing import SMALL, Frame, table, vega
from profiler.render.charts.palette import COLOURS, SURFACE
from profiler.render.charts.picture import Key, Piece
from profiler.render.charts.rows import Size, identity, short

MOST_LINES = 12
"""Lines in one plot; more could not be told apart."""

DASHES: tuple[list[int], ...] = ([1, 0], [7, 3], [2, 3], [9, 3, 2, 3], [4, 2], [12, 4])
SHAPES = {
    "circle": "M-3.5,0a3.5,3.5,0,1,0,7,0a3.5,3.5,0,1,0,-7,0Z",
    "square": "M-3,-3H3V3H-3Z",
    "diamond": "M0,-4.5L4.5,0L0,4.5L-4.5,0Z",
    "triangle": "M0,-4L4,3.5L-4,3.5Z",
    "cross": "M-1.2,-4H1.2V-1.2H4V1.2H1.2V4H-1.2V1.2H-4V-1.2H-1.2Z",
    "flag": "M-4,-3.5L4,-3.5L0,4Z",
}
CROSS = "M-3,-3L3,3M-3,3L3,-3"
"""What stands where a value is left out."""

LABEL = 14
"""Pixels between the names of two lines at least."""

NAME, ID, SCALE = 172, 34, 44
"""Pixels for names or ids at the right, and for the labels of the axis at the left."""


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """One line: the row it stands for, and its points from left to right.

    A point without a value breaks the line; where that means that it was left out, `crossed` marks it.
    """

    id: str
    name: str
    points: list[tuple[float, float | None]]
    says: str
    crossed: bool = False

    def crosses(self) -> list[tuple[float, float]]:
        """Where values are missing: each at the height of the last one before, or of the first."""
        known = [y for _, y in self.points if y is not None]
        height, found = known[0] if known else 0.0, []
        for x, y in self.points:
            height = height if y is None else y
            found += [(x, height)] if y is None else []
        return found


class Axes(msgspec.Struct, frozen=True, kw_only=True):
    """The scales of a plot: titles and ends. `x_title` is empty where another plot stands below."""

    x_title: str
    x: tuple[float, float]
    y: tuple[float, float]
    height: int = 200


def ends(values: Sequence[float], *, from_zero: bool) -> tuple[float, float]:
    """Where an axis begins and ends: a little beyond its values, and at 0 if that is asked for."""
    low, high = min(values), max(values)
    room = 0.08 * ((high - (0 if from_zero else low)) or abs(high) or 1)
    return (0.0 if from_zero else low - room), high + room


def plot(courses: Sequence[Course], axes: Axes, size: Size, *, symbols: bool, named: bool = True) -> Piece:
    """Lines with symbols at all their points, or only at the last one; names at their ends."""
    alt, frame = vega(), _frame(size, axes)
    layers = [layer for n, course in enumerate(courses) for layer in _layers(n, course, axes, symbols)]
    labels = _labels(courses, axes, size) if named else []
    words = alt.Chart(table(labels)).mark_text(align="left", fontSize=SMALL, aria=False)
    names = words.encode(x=alt.XValue(frame.width + 8), y=_y(axes), text=alt.Text("text:N"))
    return Piece.of([*layers, names], frame)


def entries(courses: Sequence[Course], size: Size) -> list[Key]:
    """Line, symbol, id and name of each course: for a narrow page, where only ids stand at the lines."""
    return [
        Key(paths=_sample(n), text=f"{identity(course.id)} {short(course.name, size.longest)}")
        for n, course in enumerate(courses)
    ]


def _frame(size: Size, axes: Axes) -> Frame:
    right = NAME if size.beside else ID
    return Frame(
        width=size.width - SCALE - right,
        height=axes.height,
        left=SCALE,
        right=right,
        top=8,
        bottom=40 if axes.x_title else 8,
    )


def look(n: int) -> tuple[str, list[int], str]:
    """Colour, dash and symbol of the line with this number: the second six differ from the first in their dashes."""
    return COLOURS[n % 6], DASHES[(n + n // 6) % 6], list(SHAPES.values())[n % 6]


def _layers(n: int, course: Course, axes: Axes, symbols: bool) -> list[Any]:
    alt = vega()
    colour, dash, shape = look(n)
    values: list[dict[str, Any]] = [{"x": x, "y": y, "says": course.says} for x, y in course.points]
    known = [value for value in values if value["y"] is not None]
    base = alt.Chart(table(values)).encode(x=_x(axes), y=_y(axes))
    marks = alt.Chart(table(known if symbols else known[-1:])).encode(
        x=_x(axes), y=_y(axes), description=alt.Description("says:N")
    )
    missing = [{"x": x, "y": y} for x, y in course.crosses() if course.crossed]
    crosses = alt.Chart(table(missing)).encode(x=_x(axes), y=_y(axes))
    return [
        base.mark_line(
            stroke=colour, strokeDash=dash, strokeWidth=2, aria=False, invalid="break-paths-show-domains"
        ),
        marks.mark_point(shape=shape, size=4, fill=colour, stroke=SURFACE, strokeWidth=1, opacity=1),
        crosses.mark_point(shape=CROSS, size=4, stroke=colour, strokeWidth=1.6, opacity=1, aria=False),
    ]


def _x(axes: Axes) -> Any:
    alt = vega()
    axis = alt.Axis(grid=False, tickCount=6, title=axes.x_title, titleAnchor="end", labels=bool(axes.x_title))
    return alt.X("x:Q", axis=axis, scale=alt.Scale(domain=list(axes.x), nice=False, padding=0, zero=False))


def _y(axes: Axes) -> Any:
    alt = vega()
    axis = alt.Axis(grid=True, tickCount=max(3, axes.height // 45), title=None)
    return alt.Y("y:Q", axis=axis, scale=alt.Scale(domain=list(axes.y), nice=False, padding=0, zero=False))


def _labels(courses: Sequence[Course], axes: Axes, size: Size) -> list[dict[str, Any]]:
    """Names at the heights where lines end, moved apart where they would touch."""
    low, high = axes.y
    wanted = []
    for course in courses:
        last = next((y for _, y in reversed(course.points) if y is not None), low)
        wanted.append(axes.height * (1 - (last - low) / ((high - low) or 1)))
    places = apart(wanted, axes.height)
    texts = [
        f"{identity(course.id)} {short(course.name, size.longest)}" if size.beside else identity(course.id)
        for course in courses
    ]
    heights = [low + (high - low) * (1 - place / axes.height) for place in places]
    return [{"y": y, "text": text} for y, text in zip(heights, texts, strict=True)]


def apart(wanted: Sequence[float], height: float) -> list[float]:
    """These places from the top, moved as little as keeps `LABEL` pixels between them and all on the plot."""
    order = sorted(range(len(wanted)), key=lambda n: wanted[n])
    places = dict.fromkeys(order, 0.0)
    lowest = -LABEL + 0.0
    for n in order:
        places[n] = lowest = max(wanted[n], lowest + LABEL)
    limit = max(height, LABEL * (len(order) - 1.0))
    for n in reversed(order):
        places[n] = min(places[n], limit)
        limit = places[n] - LABEL
    return [places[n] for n in range(len(wanted))]


def _sample(n: int) -> list[dict[str, str]]:
    colour, dash, shape = look(n)
    line = {
        "d": "M0,0H22",
        "stroke": colour,
        "stroke-width": "2",
        "stroke-dasharray": ",".join(map(str, dash)),
    }
    mark = {"d": shape, "transform": "translate(11,0)", "fill": colour, "stroke": SURFACE}
    return [line, mark]
