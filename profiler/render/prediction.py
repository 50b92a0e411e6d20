"""What was predicted before a run beside what it measured, as one more table: a line for each row and figure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from profiler.analyse.amounts import amount
from profiler.analyse.metrics import METRICS
from profiler.analyse.report import Report, Row
from profiler.analyse.residual import Residual, RowPrediction, told_range
from profiler.render import format as fmt
from profiler.render.columns import Cell, Line, Section, Table

TITLE = "Prediction and measurement"
FIGURES = ("predicted", "measured", "residual")
OF_LIMIT = "share of limit"
"""A column more where the limit of any row is known."""

MOST_NAMED = 8
LONGEST = 200
SPEEDS = ("decode_tps", "tg_tps")
"""What the limit is one of."""

SHARE = "of the speed at which reading weights and KV cache alone would take the whole measured bandwidth"


def sections(report: Report) -> list[Section]:
    """One of the rows with predicted figures; none where no row has any."""
    told = [(row, row.prediction) for row in report.rows if row.prediction is not None]
    titles = [*FIGURES, *([OF_LIMIT] if any(found.limit_tps for _, found in told) else [])]
    lines = [
        Line([fmt.plain(row.id), _called(name, one)], _cells(row, found, name)[: len(titles)])
        for row, found in told
        for name, one in found.residuals.items()
    ]
    if not lines:
        return []
    table = Table(title=TITLE, names=["", "figure"], figures=[(title, "") for title in titles], lines=lines)
    return [Section(table=table, lines=_facts(told))]


def _called(metric: str, one: Residual) -> str:
    return f"{METRICS[metric].label}, {one.unit}"


def _cells(row: Row, found: RowPrediction, metric: str) -> list[Cell]:
    one, measured = found.residuals[metric], row.metrics.get(metric)
    share, limit = (found.share_of_limit, found.limit_tps) if metric in SPEEDS else (None, None)
    return [
        Cell(fmt.number(one.predicted), f"({told_range(one)})" if told_range(one) else ""),
        Cell(fmt.figure(measured), fmt.spread(measured)),
        Cell(signed(one.residual), place(one)),
        Cell("-" if share is None else fmt.percent(share), f"of {fmt.number(limit)}" if limit else ""),
    ]


def signed(share: float | None) -> str:
    """+3.1%, -6.0%; a dash where there is none."""
    return "-" if share is None else f"{'-' if share < 0 else '+'}{fmt.percent(abs(share))}"


def place(one: Residual) -> str:
    """Where the measured value lies, seen from the predicted range; "overlapping" if only its interval reaches in."""
    if one.inside is None:
        return ""
    return "inside" if one.inside else "overlapping" if one.overlaps else "outside"


def worked(told: RowPrediction | None, metric: str) -> list[str]:
    """What was predicted of one figure, and how the measured one differs, as lines of its explanation."""
    if told is None or metric not in told.residuals:
        return []
    one = told.residuals[metric]
    bounds = f", range {told_range(one)}" if told_range(one) else ""
    lines = [f"{amount(one.predicted, one.unit)}{bounds}, told before the run by {told.source}"]
    if one.measured is not None:
        where = f", {place(one)} of the range" if place(one) in ("inside", "outside") else ""
        quotient = f"{fmt.number(one.measured)} / {fmt.number(one.predicted)} - 1"
        lines.append(f"residual: {quotient} = {signed(one.residual)}{where}")
    return lines


def _facts(told: Sequence[tuple[Row, RowPrediction]]) -> list[tuple[str, str]]:
    shown = [(row, found) for row, found in told if found.residuals]
    ones = [one for _, found in shown for one in found.residuals.values()]
    facts = [
        ("Predicted", _grouped(shown, lambda found: f"before the run, by {found.source}")),
        ("Ranges", _ranges(ones)),
        ("Limited by", _grouped(told, lambda found: found.limited_by)),
        ("Share", SHARE if any(found.share_of_limit is not None for _, found in told) else ""),
        ("Not predicted", _grouped(told, lambda found: found.reason)),
    ]
    return [(label, fmt.plain(text)) for label, text in facts if text]


def _ranges(ones: Sequence[Residual]) -> str:
    """How many measured values lie in their range, beside how many should."""
    judged = [one for one in ones if one.inside is not None]
    levels = sorted({one.level for one in judged if one.level is not None})
    if not judged:
        return ""
    promised = f"; of like cases {' or '.join(map(fmt.percent, levels))} do" if levels else ""
    return (
        f"{sum(one.inside or False for one in judged)} of {len(judged)} measured values lie inside{promised}"
    )


def _grouped(told: Sequence[tuple[Row, RowPrediction]], said: Callable[[RowPrediction], str | None]) -> str:
    """What is said of the rows, each text once; with their ids where it is not the same of all."""
    rows: dict[str, list[str]] = {}
    for row, found in told:
        if text := said(found):
            rows.setdefault(fmt.short(text, LONGEST), []).append(row.id)
    return "; ".join(text if len(ids) == len(told) else f"{_ids(ids)}: {text}" for text, ids in rows.items())


def _ids(ids: Sequence[str]) -> str:
    return ", ".join(ids) if len(ids) <= MOST_NAMED else f"{len(ids)} rows"
