"""How much of the device's memory bandwidth decoding uses: a bar for each row, from nothing to all of it."""

from __future__ import annotations

from collections.abc import Sequence

from profiler.analyse.bandwidth import speed
from profiler.analyse.report import Report, Row
from profiler.analyse.study import Study
from profiler.render import format as fmt
from profiler.render.charts import rows
from profiler.render.charts.chart import Chart, of_pieces
from profiler.render.charts.drawing import vega
from profiler.render.charts.palette import COLOURS
from profiler.render.charts.picture import Piece
from profiler.render.columns import Cell, Table
from profiler.render.columns import Line as TableLine

GB = 1e9
SHARE = "bandwidth_share"


def charts(report: Report, _: Study | None) -> list[Chart]:
    """One chart, if the bandwidth of the device is known and what any row reads."""
    candidates = [
        row for row in report.whole if SHARE in row.metrics and row.metrics[SHARE].value is not None
    ]
    if not candidates:
        return []
    some, names = rows.shown(report, candidates), rows.names(report)
    lines = [_line(row, names[row.id]) for row in some]
    return [
        of_pieces(
            report,
            "bandwidth",
            "Share of memory bandwidth",
            _says(report, candidates) + rows.told(some, candidates),
            lambda size: [_plot(lines, size)],
            _table(some, names),
        )
    ]


def _share(row: Row) -> float:
    return row.metrics[SHARE].value or 0.0


def _line(row: Row, name: str) -> rows.Line:
    share = fmt.percent(_share(row))
    says = f"{fmt.plain(row.id)} {name}: {share} of the bandwidth"
    return rows.Line(id=row.id, name=name, figure=share, drawn={"share": _share(row), "says": says})


def _plot(lines: Sequence[rows.Line], size: rows.Size) -> Piece:
    """The axis ends at 100%, or where a row seems to read more: then the bandwidth is not what it is said to be."""
    alt = vega()
    most = max(1.0, *(line.drawn["share"] for line in lines))
    axis = alt.Axis(grid=True, tickCount=5, format="%")
    x = alt.X("share:Q", axis=axis, title=None, scale=alt.Scale(domain=[0, most], nice=False, padding=0))
    bar = {"height": 12, "fill": COLOURS[0], "orient": "horizontal", "yOffset": rows.shift(size)}
    base = alt.Chart(rows.data(lines, size))
    shares = base.mark_bar(**bar).encode(x=x, y=rows.place(len(lines)), description=alt.Description("says:N"))
    return Piece.of([shares, *rows.texts(lines, size)], rows.frame(size, len(lines), bottom=24))


def _says(report: Report, candidates: Sequence[Row]) -> str:
    most, device = max(candidates, key=_share), report.device
    gigabytes = fmt.number((device.memory_bandwidth_bytes_per_s or 0) / GB)
    source = f" ({fmt.plain(device.bandwidth_source)})" if device.bandwidth_source else ""
    name, part = rows.identity(most.id), f"{fmt.percent(_share(most))} of {gigabytes} GB/s{source}"
    if _share(most) > 1:
        return f"{name} seems to read {part}: a cache holds weights, or that is not the bandwidth of this machine."
    return f"{name} comes nearest to what memory can give: its decoding reads {part}."


def _table(some: Sequence[Row], names: dict[str, str]) -> Table:
    return Table(
        title="Share of memory bandwidth",
        names=["", "build"],
        figures=[("read for a token", ""), ("speed", "tok/s"), ("share", "")],
        lines=[TableLine([fmt.plain(row.id), names[row.id]], _cells(row)) for row in some],
    )


def _cells(row: Row) -> list[Cell]:
    read, fast = row.metrics.get("read_bytes_per_token"), speed(row.metrics)
    return [Cell(fmt.figure(read)), Cell(fmt.figure(fast), fmt.spread(fast)), Cell(fmt.percent(_share(row)))]
