"""Tables of a report as grids of a page."""

from __future__ import annotations

from collections.abc import Sequence

from profiler.analyse.report import Report, Row
from profiler.analyse.samples import INTRUDED
from profiler.render import below, percentiles, question, rows
from profiler.render import format as fmt
from profiler.render.columns import Cell as TableCell
from profiler.render.columns import Line, Table
from profiler.render.html.parts import Cell, Grid, Head, figure

KINDS = {"better": "ship", "worse": "skip", "undecided": "undecided", "best": "ship"}
"""Words that have a colour, and the name of that colour."""

ROW = "row"
"""The head of a column of row ids, which needs none elsewhere; here it is sorted by."""

BUILD = "build"
NAMED = (BUILD, "part")
"""Heads of columns whose names have a line of their own on a phone."""

BANDWIDTH = (
    ("bits_read_per_weight", "bits read per weight", ""),
    ("read_bytes_per_token", "read for a token", ""),
    ("decode_tps", "decode", "tok/s"),
    ("tg_tps", "tg", "tok/s"),
    ("bandwidth_share", "share of the bandwidth", ""),
)


def of_table(table: Table, caption: str | None = None) -> Grid:
    """One of the tables that the other formats show as well."""
    return Grid(
        caption=table.title if caption is None else caption,
        heads=[
            *(Head(name or ROW) for name in table.names),
            *(Head(title, unit, number=True) for title, unit in table.figures),
        ],
        rows=[_line(table, line) for line in table.lines],
        stories=[f"{line.names[0]}: {line.story}" for line in table.lines if line.story],
    )


def _line(table: Table, line: Line) -> list[Cell]:
    titled = zip(table.names, line.names, strict=True)
    names = [named(name) if title in NAMED else figure(name) for title, name in titled]
    if line.instead is not None:
        return [*names, Cell(line.instead, kind="skip", span=max(1, len(table.figures)))]
    return [*names, *map(_figure, line.cells)]


def named(name: str) -> Cell:
    """A name that may be long: it has lines of a bearable length on a phone."""
    return Cell(name, kind="name")


def _figure(cell: TableCell) -> Cell:
    """The best is marked by its word, and by a colour for who sees it."""
    if not cell.best:
        return figure(cell.value, cell.spread)
    return figure(cell.value, f"{cell.spread} best".lstrip(), KINDS["best"])


def comparisons(heading: str, ratios: Sequence[below.Ratio]) -> Grid:
    """Ratios to one base."""
    return Grid(
        caption=heading,
        heads=[
            *(Head(title) for title in (ROW, BUILD, "figure")),
            Head("ratio", number=True),
            *(Head(title) for title in ("interval", "verdict")),
        ],
        rows=[
            [
                *_named(one),
                Cell(one.metric),
                figure(one.ratio),
                Cell(one.interval),
                Cell(one.verdict, kind=KINDS.get(one.verdict, "")),
            ]
            for one in ratios
        ],
    )


def _named(one: below.Ratio) -> list[Cell]:
    """The id of a row, and what it is called."""
    row, _, name = one.row.partition(" ")
    return [Cell(row), named(name)]


def of_percentiles(found: percentiles.Section) -> Grid:
    """Percentiles of gaps or of first tokens."""
    return Grid(
        caption=found.heading,
        heads=[Head(ROW), *(Head(title, number=True) for title in found.titles)],
        rows=[
            [figure(row), *(figure(cell.value, cell.spread) for cell in cells)] for row, cells in found.lines
        ],
    )


def bandwidth(report: Report) -> Grid | None:
    """What a decoded token reads, and how much of the device's bandwidth that takes."""
    shown = [row for row in question.own(report) if row.metrics]
    told = [column for column in BANDWIDTH if any(_value(row, column[0]) is not None for row in shown)]
    if not any(name == "read_bytes_per_token" for name, _, _ in told):
        return None
    names = rows.names(report)
    return Grid(
        caption="Bytes that one decoded token reads, times tokens per second",
        heads=[Head(ROW), Head(BUILD), *(Head(title, unit, number=True) for _, title, unit in told)],
        rows=[
            [figure(fmt.plain(row.id)), named(names[row.id]), *(_read(row, name) for name, _, _ in told)]
            for row in shown
        ],
    )


def _value(row: Row, metric: str) -> float | None:
    return row.metrics[metric].value if metric in row.metrics else None


def _read(row: Row, metric: str) -> Cell:
    value = _value(row, metric)
    if metric == "bandwidth_share":
        return figure("-" if value is None else fmt.percent(value))
    if metric == "bits_read_per_weight":
        return figure(fmt.bits(row.metrics.get(metric)))
    return figure(fmt.figure(row.metrics.get(metric)), fmt.spread(row.metrics.get(metric)))


def intrusions(report: Report) -> Grid:
    """How many passes each row rests on, and how many count for nothing."""
    names = rows.names(report)
    counts = [Head(title, number=True) for title in ("processes", "passes", "left out")]
    return Grid(
        caption="Passes that count, and passes left out",
        heads=[Head(ROW), Head(BUILD), *counts, Head("why")],
        rows=[
            [figure(fmt.plain(row.id)), named(names[row.id]), *_counted(row)]
            for row in report.rows
            if row.metrics
        ],
    )


def _counted(row: Row) -> list[Cell]:
    judged = [figure for figure in row.metrics.values() if figure.passes]
    most = max(judged, key=lambda figure: figure.passes, default=None)
    counts = (0, 0, 0) if most is None else (most.processes, most.passes, most.excluded)
    return [*(figure(str(count)) for count in counts), Cell(fmt.plain(_why(row)), kind="text")]


def _why(row: Row) -> str:
    told = {notice.code: notice.seen for notice in row.notices}
    if "disturbed" in told:
        return f"{INTRUDED}, and shown nevertheless: it was so in nearly every pass"
    return told.get("passes_excluded", "").partition("(")[2].rstrip(")")
