"""Decode speed against depth: along the answer of a text, and at the depths that llama-bench's method was asked for."""

from __future__ import annotations

from collections.abc import Sequence

from profiler.analyse.report import Report, Row
from profiler.analyse.series import by_depth, middle_depth
from profiler.analyse.study import Study
from profiler.render import format as fmt
from profiler.render.charts import lines, picture, rows
from profiler.render.charts.chart import Chart, of_pieces
from profiler.render.charts.lines import Axes, Course
from profiler.render.charts.picture import Piece
from profiler.render.columns import Cell, Table
from profiler.render.columns import Line as TableLine
from profiler.runfile import Case


def charts(report: Report, study: Study | None) -> list[Chart]:
    """One chart where any course has two depths or more."""
    if study is None:
        return []
    answering = [row for row in report.rows if row.metrics and "itl_ms.p50" in row.metrics]
    some = rows.shown(report, answering, lines.MOST_LINES)
    courses = (_along_answers(report, study, some) + _at_depths(report, study))[: lines.MOST_LINES]
    if not courses:
        return []
    return [
        of_pieces(
            report,
            "depth",
            "Decode speed against depth",
            _says(courses) + rows.told(some, answering),
            lambda size: _pieces(courses, size),
            _table(courses),
        )
    ]


def _along_answers(report: Report, study: Study, some: Sequence[Row]) -> list[Course]:
    """One course for each of these rows, which answer a text."""
    names, cases = rows.names(report), study.cases
    courses = []
    for row in some:
        points = [(at.depth, at.tps) for at in by_depth(cases[row.id], study.samples[row.id])]
        if len(points) > 1:
            courses.append(_course(row.id, names[row.id], points))
    return courses


def _at_depths(report: Report, study: Study) -> list[Course]:
    """One course for each build and its settings that generated at several depths."""
    found: dict[tuple[object, ...], list[tuple[float, Row]]] = {}
    of_id = {row.id: row for row in report.rows}
    for case in study.measured():
        estimate = of_id[case.id].metrics.get("tg_tps")
        if estimate is not None and estimate.value is not None:
            found.setdefault(_alike(case), []).append((middle_depth(case.workload), of_id[case.id]))
    names, courses = rows.names(report), []
    for several in found.values():
        points = sorted({depth: row.metrics["tg_tps"].value or 0.0 for depth, row in several}.items())
        if len(points) > 1:
            first = several[0][1]
            courses.append(
                _course(first.id, names[first.id].replace(f", {fmt.plain(first.workload)}", ""), points)
            )
    return courses


def _alike(case: Case) -> tuple[object, ...]:
    """What cases share that differ in nothing but the depth at which they generate."""
    settings = tuple(sorted((name, str(value)) for name, value in case.settings.items()))
    return case.build, case.engine, case.target, case.workload.output_tokens, settings


def _course(row_id: str, name: str, points: Sequence[tuple[float, float]]) -> Course:
    (shallow, first), (deep, last) = points[0], points[-1]
    says = f"{fmt.plain(row_id)} {name}: {_tps(first)} at {shallow:.0f} tokens, {_tps(last)} at {deep:.0f}"
    return Course(id=row_id, name=name, points=list(points), says=says)


def _tps(value: float) -> str:
    return f"{fmt.number(value)} tok/s"


def _pieces(courses: Sequence[Course], size: rows.Size) -> list[Piece]:
    depths = [x for course in courses for x, _ in course.points]
    speeds = [y for course in courses for _, y in course.points if y is not None]
    axes = Axes(
        x_title="tokens of prompt and answer so far",
        x=(min(depths), max(depths)),
        y=lines.ends(speeds, from_zero=True),
        height=max(220, lines.LABEL * len(courses)),
    )
    plots = [lines.plot(courses, axes, size, symbols=True)]
    return plots if size.beside else [*plots, picture.key(lines.entries(courses, size), size.width)]


def _says(courses: Sequence[Course]) -> str:
    """Who loses most from the least depth to the greatest."""
    fall = {n: 1 - _last(course) / _first(course) for n, course in enumerate(courses)}
    worst = courses[max(fall, key=lambda n: fall[n])]
    (shallow, _), (deep, _) = worst.points[0], worst.points[-1]
    lost = max(fall.values())
    if lost <= 0:
        return f"By the values drawn, no row decodes more slowly at {deep:.0f} tokens than at {shallow:.0f}."
    most = "loses most" if len(courses) > 1 else "loses"
    return (
        f"By the values drawn, {rows.identity(worst.id)} {most} with depth: {fmt.percent(lost)} from {shallow:.0f} to "
        f"{deep:.0f} tokens ({fmt.number(_first(worst))} to {fmt.number(_last(worst))} tok/s); no interval judges it."
    )


def _first(course: Course) -> float:
    return course.points[0][1] or 1.0


def _last(course: Course) -> float:
    return course.points[-1][1] or 0.0


def _table(courses: Sequence[Course]) -> Table:
    return Table(
        title="Decode speed at the least and the greatest depth",
        names=["", "build"],
        figures=[("least", "tokens"), ("speed", "tok/s"), ("greatest", "tokens"), ("speed", "tok/s")],
        lines=[TableLine([fmt.plain(course.id), course.name], _cells(course)) for course in courses],
    )


def _cells(course: Course) -> list[Cell]:
    (shallow, _), (deep, _) = course.points[0], course.points[-1]
    return [
        Cell(f"{shallow:.0f}"),
        Cell(fmt.number(_first(course))),
        Cell(f"{deep:.0f}"),
        Cell(fmt.number(_last(course))),
    ]
