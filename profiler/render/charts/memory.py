"""What memory is for: a bar for each row whose parts add up to its proportional set size and what is swapped out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from profiler.analyse.report import Report, Row
from profiler.analyse.study import Study
from profiler.render import format as fmt
from profiler.render.charts import picture, rows
from profiler.render.charts.chart import Chart, of_pieces
from profiler.render.charts.drawing import table, vega
from profiler.render.charts.palette import COLOURS, INK, MUTED, SURFACE
from profiler.render.charts.picture import Key, Piece, hatched

MIB, GIB = 2**20, 2**30
IN_GIB_FROM = 4 * GIB
WEIGHTS, KV, COMPUTE, RUNTIME, UNEXPLAINED = PARTS = ("weights", "KV", "compute", "runtime", "unexplained")
FILLS = dict(zip(PARTS, (COLOURS[0], COLOURS[1], COLOURS[2], COLOURS[4], SURFACE), strict=True))
HATCHED = {KV: hatched("rising"), COMPUTE: hatched("dotted"), RUNTIME: hatched("falling")}


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes of each part of one row, and the whole that they add up to."""

    row: Row
    of: dict[str, float]
    whole: float


def charts(report: Report, _: Study | None) -> list[Chart]:
    """One chart, if the parts of any row are known."""
    found = {row.id: parts for row in report.rows if (parts := parts_of(row)) is not None}
    candidates = [row for row in report.rows if row.id in found]
    if not candidates:
        return []
    some, names = rows.shown(report, candidates), rows.names(report)
    lines = [_line(found[row.id], names[row.id]) for row in some]
    largest = max(max(parts.whole, _claimed(parts)) for parts in found.values())
    unit, bytes_of_unit = ("GiB", GIB) if largest >= IN_GIB_FROM else ("MiB", MIB)
    mine = [found[row.id] for row in some]
    return [
        of_pieces(
            report,
            "memory",
            "Memory",
            _says([found[row.id] for row in candidates]) + rows.told(some, candidates),
            lambda size: [_plot(mine, lines, size, unit, bytes_of_unit), _key(mine, size)],
        )
    ]


def parts_of(row: Row) -> Parts | None:
    """The parts of a row; None where one of them is not known. What lies on a device is not part of KV here."""
    names = ("weights_bytes", "compute_bytes", "runtime_bytes", "unexplained_bytes", "pss_bytes")
    known = [row.metrics[name].value if name in row.metrics else None for name in names]
    weights, compute, runtime, unexplained, pss = known
    if weights is None or compute is None or runtime is None or unexplained is None or pss is None:
        return None
    whole = pss + _swapped(row)
    kv = max(0.0, whole - weights - compute - runtime - unexplained)
    amounts = (weights, kv, compute, runtime, unexplained)
    return Parts(row=row, of=dict(zip(PARTS, amounts, strict=True)), whole=whole)


def _claimed(parts: Parts) -> float:
    """What the parts say together; more than the whole where unexplained is negative."""
    return sum(amount for amount in parts.of.values() if amount > 0)


def _line(parts: Parts, name: str) -> rows.Line:
    figure, unit = fmt.size(parts.whole).split()
    return rows.Line(id=parts.row.id, name=name, figure=figure, beside=unit)


def _plot(
    mine: Sequence[Parts], lines: Sequence[rows.Line], size: rows.Size, unit: str, bytes_of_unit: int
) -> Piece:
    alt, y, down = vega(), rows.place(len(lines)), rows.shift(size)
    segments = [one for n, parts in enumerate(mine) for one in _segments(n, parts, bytes_of_unit)]
    wholes = [
        {"middle": n + 0.5, "whole": parts.whole / bytes_of_unit, "says": _too_much(parts)}
        for n, parts in enumerate(mine)
        if parts.of[UNEXPLAINED] < 0
    ]
    axis = alt.Axis(grid=True, tickCount=5, title=unit, titleAnchor="end")
    x = alt.X("start:Q", axis=axis, scale=alt.Scale(zero=True, nice=False))
    bars = alt.Chart(table(segments)).encode(x=x, x2=alt.X2("end:Q"), y=y)
    layers = [
        *rows.bars(bars, down),
        alt.Chart(table(wholes))
        .mark_tick(thickness=2, size=rows.BAR + 8, yOffset=down, orient="vertical", fill=INK, opacity=1)
        .encode(x=alt.X("whole:Q"), y=y, description=alt.Description("says:N")),
        *rows.texts(lines, size),
    ]
    return Piece.of(layers, rows.frame(size, len(lines)))


def _segments(n: int, parts: Parts, bytes_of_unit: int) -> list[dict[str, Any]]:
    """The parts of one bar from left to right; one of nothing, or of less than nothing, has no segment."""
    found: list[dict[str, Any]] = []
    start = 0.0
    for name, amount in parts.of.items():
        if amount > 0:
            end = start + amount
            found.append(
                {
                    "middle": n + 0.5,
                    "start": start / bytes_of_unit,
                    "end": end / bytes_of_unit,
                    "fill": FILLS[name],
                    "stroke": MUTED if name == UNEXPLAINED else SURFACE,
                    "hatch": HATCHED.get(name),
                    "says": f"{fmt.plain(parts.row.id)} {name}: {fmt.size(amount)}",
                }
            )
            start = end
    return found


def _key(mine: Sequence[Parts], size: rows.Size) -> Piece:
    box = {"d": "M1,-6H21V6H1Z", "stroke-width": f"{rows.OUTLINE}"}
    entries = []
    for name in PARTS:
        if any(parts.of[name] > 0 for parts in mine):
            paths = [box | {"fill": FILLS[name], "stroke": MUTED if name == UNEXPLAINED else SURFACE}]
            paths += [box | {"fill": HATCHED[name]}] if name in HATCHED else []
            entries.append(Key(paths=paths, text=name))
    if any(parts.of[UNEXPLAINED] < 0 for parts in mine):
        end = {"d": "M11,-9V9", "stroke": INK, "stroke-width": "2"}
        entries.append(Key(paths=[end], text="PSS, where the parts claim more"))
    return picture.key(entries, size.width)


def _too_much(parts: Parts) -> str:
    more = fmt.size(-parts.of[UNEXPLAINED])
    return f"{fmt.plain(parts.row.id)} PSS: {fmt.size(parts.whole)}; its parts claim {more} more"


def _says(mine: Sequence[Parts]) -> str:
    """Who takes least and most, and how much of it no part explains."""
    least, most = min(mine, key=lambda p: p.whole), max(mine, key=lambda p: p.whole)
    swap = ", with what is swapped out" if any(_swapped(parts.row) for parts in mine) else ""
    if len(mine) == 1:
        return f"{rows.identity(least.row.id)} takes {fmt.size(least.whole)}{swap}; {_left(mine)}."
    return (
        f"{rows.identity(least.row.id)} takes least memory, {fmt.size(least.whole)}, "
        f"and {rows.identity(most.row.id)} most, {fmt.size(most.whole)}{swap}; {_left(mine)}."
    )


def _left(mine: Sequence[Parts]) -> str:
    """How far parts and whole are apart, at most: what no part explains, or what the parts claim beyond it."""
    shares = [parts.of[UNEXPLAINED] / parts.whole for parts in mine if parts.whole]
    worst = max(shares, key=abs, default=0.0)
    up_to, most, whole = ("", "", "it") if len(mine) == 1 else ("up to ", "at most ", "a row")
    if worst < 0:
        return f"the parts claim {up_to}{fmt.percent(-worst)} more than {whole} takes"
    return f"{most}{fmt.percent(worst)} of {whole} is unexplained"


def _swapped(row: Row) -> float:
    return row.metrics["swapped_bytes"].value or 0.0
