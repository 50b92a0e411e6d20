"""The layout that most charts share: a line for each row of the report, its name at the left, its figure at the right.

On a narrow page the name and the figure stand above what is drawn, so that both keep their length.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from profiler.analyse.report import Report, Row
from profiler.render import format as fmt
from profiler.render import rows
from profiler.render.charts.drawing import PER_CHARACTER, SMALL, Frame, table, vega
from profiler.render.charts.palette import MUTED, SURFACE

MOST_ROWS = 24
"""Rows of one chart. Of more, the fastest are shown."""


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two widths that a chart is drawn for. `names` and `figures` are columns beside the plot; without
    them the text stands above each line. `longest` are the characters of a name that fit."""

    name: str
    width: int
    names: int
    figures: int
    step: int
    longest: int

    @property
    def beside(self) -> bool:
        """Whether names and figures stand beside the plot."""
        return self.names > 0


WIDE = Size(name="wide", width=600, names=172, figures=128, step=28, longest=24)
NARROW = Size(name="narrow", width=340, names=0, figures=0, step=42, longest=28)
LEAST_SAVED = 6
"""Characters that leaving out what all names share must save."""

LONGEST_ID = 6
MARGIN = 6
BAR, OUTLINE = 14, 1.2
"""Height of a bar of segments, and the width of the lines between them."""

"""Pixels that a mark at the edge of the plot may reach beyond it."""

BAND, SLACK = 16, 6
"""Height of the band that keeps a grid out of text above a line; pixels for signs that are wider than digits."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One row as it is drawn: its id and name, its figure in bold with what stands beside it, and numbers to draw."""

    id: str
    name: str
    figure: str
    beside: str = ""
    drawn: dict[str, Any] = {}


def speed(row: Row) -> float:
    """How fast a row decodes, or evaluates prompts if it does nothing else."""
    values = (row.metrics[name].value for name in ("decode_tps", "tg_tps", "pp_tps") if name in row.metrics)
    return next((value for value in values if value is not None), 0.0)


def shown(
    report: Report,
    candidates: Sequence[Row],
    most: int = MOST_ROWS,
    quickness: Callable[[Row], float] = speed,
) -> list[Row]:
    """These rows, and of more than `most` the fastest by `quickness`, in the order of the report."""
    if len(candidates) <= most:
        return list(candidates)
    fastest = sorted(candidates, key=quickness, reverse=True)[:most]
    kept = {row.id for row in fastest}
    return [row for row in report.rows if row.id in kept]


def told(some: Sequence[Row], of: Sequence[Row]) -> str:
    """A sentence where not all rows are shown."""
    return "" if len(some) == len(of) else f" Shown are the {len(some)} fastest of {len(of)} rows."


def names(report: Report) -> dict[str, str]:
    """What each row is called beside its id; where names are long, without the words that all begin with."""
    whole = rows.names(report)
    fit = all(len(name) <= WIDE.longest for name in whole.values())
    begin = 0 if fit else _words_in_common(list(whole.values()))
    return {id: "\u2026" + name[begin:] if begin else name for id, name in whole.items()}


def _words_in_common(whole: Sequence[str]) -> int:
    """How many characters all names begin with, up to the end of a word; 0 where that saves little."""
    if len(whole) < 2:
        return 0
    first, last = min(whole), max(whole)
    same = next(
        (n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(map(len, whole))
    )
    begin = max(first.rfind(mark, 0, same) for mark in "-. ") + 1
    return begin if begin >= LEAST_SAVED else 0


def short(text: str, longest: int) -> str:
    """A name in so many characters: its middle is left out, for the ends tell builds apart."""
    if len(text) <= longest:
        return text
    end = (longest - 1) // 2
    return text[: longest - 1 - end] + "\u2026" + text[-end:]


def frame(size: Size, lines: int, bottom: int = 40) -> Frame:
    """The place for so many lines, an axis below them."""
    return Frame(
        width=size.width - size.names - size.figures - 2 * MARGIN,
        height=lines * size.step,
        left=size.names + MARGIN,
        right=size.figures + MARGIN,
        top=2,
        bottom=bottom,
    )


def data(lines: Sequence[Line], size: Size) -> Any:
    """The lines as the table that all layers draw from; `middle` is the vertical place of each."""
    return table(
        [
            {"middle": n + 0.5, "id": identity(line.id), "name": short(line.name, size.longest)}
            | {"figure": line.figure, "beside": line.beside}
            | line.drawn
            for n, line in enumerate(lines)
        ]
    )


def identity(row_id: str) -> str:
    """The id of a row as it stands in a chart."""
    return short(fmt.plain(row_id), LONGEST_ID)


def place(lines: int, field: str = "middle") -> Any:
    """The vertical place of a line: line n reaches from n to n + 1."""
    alt = vega()
    return alt.Y(
        f"{field}:Q", axis=None, scale=alt.Scale(domain=[lines, 0], nice=False, zero=False, padding=0)
    )


def shift(size: Size) -> int:
    """How far below the middle of its line a mark stands: on a narrow page there is text above it."""
    return 0 if size.beside else 9


def texts(lines: Sequence[Line], size: Size) -> list[Any]:
    """Ids, names and figures of all lines as layers of text."""
    width, up = frame(size, len(lines)).width, 0 if size.beside else 10 - size.step // 2
    left = -(size.names + MARGIN)
    indent = round(7.5 * max(len(identity(line.id)) for line in lines)) + 7
    widest = round(PER_CHARACTER * max(len(line.beside) for line in lines)) + SLACK
    end = width + MARGIN + (46 if size.beside else -widest - 4)
    y, values = place(len(lines)), data(lines, size)
    return [
        *([] if size.beside else [_band(values, y, width, up)]),
        _text(values, "id", y, left, up, "left", MUTED),
        _text(values, "name", y, left + indent, up, "left"),
        _text(values, "figure", y, end, up, "right", weight=600),
        _text(values, "beside", y, end + (5 if size.beside else 4), up, "left", MUTED, SMALL),
    ]


def bars(segments: Any, down: int) -> list[Any]:
    """Segments with a fill, a stroke and what they say, and the hatch of those that have one over it."""
    alt, bar = vega(), {"height": BAR, "yOffset": down}
    filled = segments.mark_bar(**bar, strokeWidth=OUTLINE).encode(
        fill=alt.Fill("fill:N", scale=None),
        stroke=alt.Stroke("stroke:N", scale=None),
        description=alt.Description("says:N"),
    )
    hatched = segments.mark_bar(**bar, aria=False).transform_filter("datum.hatch")
    return [filled, hatched.encode(fill=alt.Fill("hatch:N", scale=None))]


def _band(values: Any, y: Any, width: int, up: int) -> Any:
    """What lies between a grid and the text above each line."""
    alt = vega()
    return (
        alt.Chart(values)
        .mark_bar(fill=SURFACE, height=BAND, yOffset=up, orient="horizontal", aria=False)
        .encode(x=alt.XValue(-MARGIN), x2=alt.X2Value(width + MARGIN), y=y)
    )


def _text(
    values: Any, field: str, y: Any, x: float, up: int, align: str, colour: str | None = None, font: int | None = None,
    weight: int | None = None,
) -> Any:  # fmt: skip
    alt = vega()
    look = {"fill": colour, "fontSize": font, "fontWeight": weight}
    mark = {name: value for name, value in look.items() if value is not None}
    return (
        alt.Chart(values)
        .mark_text(align=align, yOffset=up, aria=False, **mark)
        .encode(x=alt.XValue(x), y=y, text=alt.Text(f"{field}:N"))
    )
