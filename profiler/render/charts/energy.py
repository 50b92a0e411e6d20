"""Energy: joules for a token of the answer and of the prompt, beside what the idle machine takes in that time."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from profiler.analyse.metrics import IDLE_POWER
from profiler.analyse.report import Report, Row
from profiler.analyse.study import Study
from profiler.render.charts import points, rows
from profiler.render.charts.chart import Chart, of_pieces
from profiler.render.charts.picture import Piece, heading
from profiler.render.energy import COVERS

UNIT = "J/token"


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a pass: the metric of its energy, and those that may tell how fast its tokens came."""

    metric: str
    title: str
    speeds: tuple[str, ...]


PARTS = (
    Part(metric="energy_j_per_token", title="Answer, joules per token", speeds=("decode_tps", "tg_tps")),
    Part(metric="energy_j_per_prompt_token", title="Prompt, joules per token", speeds=("prefill_tps", "pp_tps")),
)  # fmt: skip


def charts(report: Report, _: Study | None) -> list[Chart]:
    """One chart for each scope of a sensor: what the whole device takes does not compare with a part of it."""
    scopes: dict[str, list[Row]] = {}
    for row in report.rows:
        if row.energy and any(_value(row, part.metric) is not None for part in PARTS):
            scopes.setdefault(row.energy.scope, []).append(row)
    return [_chart(report, scope, mine, n) for n, (scope, mine) in enumerate(scopes.items())]


def _value(row: Row, metric: str) -> float | None:
    return row.metrics[metric].value if metric in row.metrics else None


def _chart(report: Report, scope: str, candidates: Sequence[Row], number: int) -> Chart:
    some, names = rows.shown(report, candidates), rows.names(report)
    plots = [(part, lines) for part in PARTS if (lines := _lines(some, names, part))]
    covers = COVERS.get(scope, scope)
    return of_pieces(
        report,
        f"energy-{scope}" if number else "energy",
        f"Energy of {covers}",
        _says(candidates, covers) + rows.told(some, candidates),
        lambda size: [
            *(piece for part, lines in plots for piece in _panel(part, lines, size)),
            points.key([line for _, lines in plots for line in lines], size, "idle for as long"),
        ],
    )


def _lines(some: Sequence[Row], names: dict[str, str], part: Part) -> list[rows.Line]:
    shown = [row for row in some if _value(row, part.metric) is not None]
    return [
        points.line(row.id, names[row.id], row.metrics[part.metric], UNIT, reference=_idle(row, part))
        for row in shown
    ]


def _panel(part: Part, lines: Sequence[rows.Line], size: rows.Size) -> list[Piece]:
    return [heading(part.title), points.plot(lines, size, UNIT)]


def _idle(row: Row, part: Part) -> float | None:
    """What the idle machine takes in the time of one token, in joules."""
    watts = _value(row, IDLE_POWER.name)
    fast = next((value for name in part.speeds if (value := _value(row, name))), None)
    return None if watts is None or fast is None else watts / fast


def _says(candidates: Sequence[Row], covers: str) -> str:
    """Whose figure is least for a token of the answer, or of the prompt where nothing is answered. None is judged."""
    for part, word in zip(PARTS, ("an answer", "a prompt"), strict=True):
        known = [row for row in candidates if _value(row, part.metric) is not None]
        if known:
            least = min(known, key=lambda row: _value(row, part.metric) or 0)
            joules = points.worded(least.metrics[part.metric], "J")
            several = f"has the least value for a token of {word}: {joules}"
            shown = several if len(known) > 1 else f"takes {joules} for a token of {word}"
            return f"{rows.identity(least.id)} {shown}, by a sensor of {covers}."
    return ""
