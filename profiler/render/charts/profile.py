"""Where the time goes: a bar of a hundred per cent for each profiled row, once for prompts and once for tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from profiler.analyse.profiled import PhaseProfile
from profiler.analyse.report import Report, Row
from profiler.analyse.study import Study
from profiler.render import format as fmt
from profiler.render.charts import picture, rows
from profiler.render.charts.chart import Chart, of_pieces
from profiler.render.charts.drawing import table, vega
from profiler.render.charts.palette import COLOURS, MUTED, SURFACE
from profiler.render.charts.picture import Key, Piece, hatched
from profiler.render.profile import LABELS, PHASES, spent

FILLS = {
    "attention": (COLOURS[0], None),
    "feed_forward": (COLOURS[1], hatched("rising")),
    "experts": (COLOURS[2], hatched("dotted")),
    "norm": (COLOURS[3], hatched("level")),
    "head": (COLOURS[4], hatched("falling")),
    "embedding": (COLOURS[5], hatched("dotted")),
    "other": (MUTED, None),
    "between": (MUTED, hatched("rising")),
    "sampling": (COLOURS[5], None),
    "unexplained": (SURFACE, None),
}
"""Colour and pattern of each kind."""

TITLES = {"prefill": "Time of a prompt", "decode": "Time of a token"}


def charts(report: Report, _: Study | None) -> list[Chart]:
    """One chart for each phase that any row has a profile of."""
    return [chart for phase in PHASES if (chart := _chart(report, phase)) is not None]


def _chart(report: Report, phase: str) -> Chart | None:
    found = {row.id: one for row in report.rows if (one := _phase(row, phase)) is not None}
    candidates = [row for row in report.rows if row.id in found]
    if not candidates:
        return None
    some, names = rows.shown(report, candidates), rows.names(report)
    mine = [(row.id, found[row.id]) for row in some]
    lines = [_line(row.id, names[row.id], found[row.id]) for row in some]
    return of_pieces(
        report,
        f"profile-{phase}",
        TITLES[phase],
        _says(mine) + rows.told(some, candidates),
        lambda size: [_plot(mine, lines, size), _key(mine, size)],
    )


def _phase(row: Row, name: str) -> PhaseProfile | None:
    phases = row.profile.phases if row.profile else []
    return next((phase for phase in phases if phase.phase == name), None)


def _line(row_id: str, name: str, phase: PhaseProfile) -> rows.Line:
    return rows.Line(id=row_id, name=name, figure=fmt.number(phase.wall_ms - phase.watch_ms), beside="ms")


def _kinds(phase: PhaseProfile) -> dict[str, float]:
    """The share of each kind, in their order."""
    shares = {kind: one.share for kind in LABELS if (one := spent(phase, kind)) is not None}
    return {kind: share for kind, share in shares.items() if share > 0}


def _plot(mine: Sequence[tuple[str, PhaseProfile]], lines: Sequence[rows.Line], size: rows.Size) -> Piece:
    alt, y, down = vega(), rows.place(len(lines)), rows.shift(size)
    segments = [one for n, (row_id, phase) in enumerate(mine) for one in _segments(n, row_id, phase)]
    axis = alt.Axis(grid=True, tickCount=5, title="% of the time, without the watch", titleAnchor="end")
    x = alt.X("start:Q", axis=axis, scale=alt.Scale(domain=[0, 100], nice=False))
    bars = alt.Chart(table(segments)).encode(x=x, x2=alt.X2("end:Q"), y=y)
    layers = [
        *rows.bars(bars, down),
        *rows.texts(lines, size),
    ]
    return Piece.of(layers, rows.frame(size, len(lines)))


def _segments(n: int, row_id: str, phase: PhaseProfile) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    start = 0.0
    for kind, share in _kinds(phase).items():
        fill, hatch = FILLS[kind]
        end = start + 100 * share
        found.append(
            {
                "middle": n + 0.5,
                "start": start,
                "end": min(100.0, end),
                "fill": fill,
                "stroke": MUTED if kind == "unexplained" else SURFACE,
                "hatch": hatch,
                "says": f"{fmt.plain(row_id)} {LABELS[kind]}: {fmt.percent(share)}",
            }
        )
        start = end
    return found


def _key(mine: Sequence[tuple[str, PhaseProfile]], size: rows.Size) -> Piece:
    box = {"d": "M1,-6H21V6H1Z", "stroke-width": f"{rows.OUTLINE}"}
    there = {kind for _, phase in mine for kind in _kinds(phase)}
    entries = []
    for kind in LABELS:
        if kind in there:
            fill, hatch = FILLS[kind]
            paths = [box | {"fill": fill, "stroke": MUTED if kind == "unexplained" else SURFACE}]
            paths += [box | {"fill": hatch}] if hatch else []
            entries.append(Key(paths=paths, text=LABELS[kind]))
    return picture.key(entries, size.width)


def _says(mine: Sequence[tuple[str, PhaseProfile]]) -> str:
    """What takes most of each row, up to three of them."""
    parts = []
    for row_id, phase in mine[:3]:
        kind, share = max(_kinds(phase).items(), key=lambda item: item[1], default=("other", 0.0))
        parts.append(f"in {rows.identity(row_id)} {LABELS[kind]} takes most, {fmt.percent(share)}")
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}."
