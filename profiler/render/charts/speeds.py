"""First tokens and speeds: a point and its interval for each row, on an axis that begins at 0."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from profiler.analyse.report import Report, Row
from profiler.analyse.study import Study
from profiler.render import format as fmt
from profiler.render.charts import points, rows
from profiler.render.charts.chart import Chart, of_pieces


class Speed(msgspec.Struct, frozen=True, kw_only=True):
    """One metric as a chart: its name in a report and in a chart, and the words around it."""

    metric: str
    name: str
    title: str
    unit: str
    verb: str
    most: str


MOST_TOLD = 2
"""Workloads of which a sentence tells."""

SPEEDS = (
    Speed(metric="ttft_ms", name="ttft", title="Time to first token", unit="ms", verb="answers after",
          most="answers first"),
    Speed(metric="decode_tps", name="decode", title="Decode speed", unit="tok/s", verb="decodes at",
          most="decodes fastest"),
    Speed(metric="pp_tps", name="pp", title="Prompt speed (pp)", unit="tok/s", verb="evaluates prompts at",
          most="evaluates prompts fastest"),
    Speed(metric="tg_tps", name="tg", title="Generation speed (tg)", unit="tok/s", verb="generates at",
          most="generates fastest"),
)  # fmt: skip


def charts(report: Report, _: Study | None) -> list[Chart]:
    """One chart for each of these metrics that any row has."""
    return [chart for speed in SPEEDS if (chart := _chart(report, speed)) is not None]


def _chart(report: Report, speed: Speed) -> Chart | None:
    candidates = [row for row in report.whole if _value(row, speed) is not None]
    if not candidates:
        return None
    some = rows.shown(report, candidates, quickness=lambda row: _quickness(row, speed))
    names = rows.names(report)
    lines = [_line(report, row, speed, names[row.id]) for row in some]
    return of_pieces(
        report,
        speed.name,
        speed.title,
        _says(report, candidates, speed) + rows.told(some, candidates),
        lambda size: [points.plot(lines, size, speed.unit), points.key(lines, size)],
    )


def _value(row: Row, speed: Speed) -> float | None:
    return row.metrics[speed.metric].value if speed.metric in row.metrics else None


def _quickness(row: Row, speed: Speed) -> float:
    """What is higher for the better of two rows."""
    value = _value(row, speed) or 0.0
    return -value if speed.metric == "ttft_ms" else value


def _line(report: Report, row: Row, speed: Speed, name: str) -> rows.Line:
    estimate = row.metrics[speed.metric]
    return points.line(row.id, name, estimate, speed.unit, best=(speed.metric, row.id) in report.best)


def _says(report: Report, candidates: Sequence[Row], speed: Speed) -> str:
    """Who is best beyond doubt in each of the first workloads, or that nobody is."""
    groups: dict[str, list[Row]] = {}
    for row in candidates:
        groups.setdefault(row.workload, []).append(row)
    told = [_leader(report, mine, speed, several=len(groups) > 1) for mine in groups.values()]
    return " ".join(told[:MOST_TOLD])


def _leader(report: Report, mine: Sequence[Row], speed: Speed, *, several: bool) -> str:
    where = f" in {fmt.plain(mine[0].workload)}" if several else ""
    best = next((row for row in mine if (speed.metric, row.id) in report.best), None)
    lead = best or max(mine, key=lambda row: _quickness(row, speed))
    name, figure = rows.identity(lead.id), points.worded(lead.metrics[speed.metric], speed.unit)
    if len(mine) == 1:
        return f"{name} {speed.verb} {figure}{where}."
    if best is not None:
        return f"{name} {speed.most}{where}: {figure}."
    return f"No row is best{where} beyond doubt; {name} has the best value, {figure}."
