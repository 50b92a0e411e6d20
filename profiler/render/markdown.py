"""The report as Markdown, for a pull request or a verdict page."""

from __future__ import annotations

import re
from collections.abc import Iterable

from profiler.analyse.report import Report
from profiler.render import below, board, cold, energy, memory, percentiles, sustained
from profiler.render import format as fmt
from profiler.render.columns import Cell, Line, Table, tables

_SPECIAL = re.compile(
    r"[\\`*{}\[\]<>|#~!&$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|:(?=//)|(?<=www)\.", re.IGNORECASE
)
_LIST_MARK = re.compile(r"^\s*(\d*)([-+.)])(?=\s|$)")


def render(report: Report) -> str:
    """Table, facts, comparisons, notices, hashes."""
    shown = [*tables(report), *cold.tables(report), *memory.tables(report)]
    parts = [f"## {escape(_title(report))}", *map(_table, shown)]
    parts += [f"{_table(one.table)}\n\n{_labelled(one.lines)}" for one in energy.sections(report)]
    parts += [*map(_course, sustained.courses(report)), _labelled(below.facts(report))]
    parts += [_ratios(heading, ratios) for heading, ratios in below.comparisons(report)]
    parts += listed("Undecided", below.undecided(report))
    parts += [_percentiles(section) for section in percentiles.sections(report)]
    state = board.lines(report)
    parts += [f"### {escape(board.HEADING)}\n\n{_labelled(state)}"] if state else []
    parts += listed("Agreement", below.agreements(report))
    parts += listed("Notices", below.notices(report))
    parts += listed("Builds", _builds(report))
    return "\n\n".join(parts) + "\n"


def _labelled(lines: Iterable[tuple[str, str]]) -> str:
    return "\n".join(f"- **{label}**: {escape(text)}" for label, text in lines)


def _course(course: sustained.Course) -> str:
    return f"### {escape(course.heading)}\n\n{_labelled(course.lines)}"


def escape(text: str) -> str:
    """Text from elsewhere, inert in Markdown and in the HTML that it becomes; addresses do not become links."""
    return _LIST_MARK.sub(r"\1\\\2", _SPECIAL.sub(r"\\\g<0>", fmt.plain(text)))


def _title(report: Report) -> str:
    return f"Latency on {report.device.cpu or report.device.name}"


def _table(table: Table) -> str:
    header = [*map(escape, table.names), *(f"{title}, {unit}".strip(", ") for title, unit in table.figures)]
    rule = ["---"] * len(table.names) + ["---:"] * len(table.figures)
    rows = [header, rule, *(_line(line, len(table.figures)) for line in table.lines)]
    stories = [escape(f"{line.names[0]}: {line.story}") for line in table.lines if line.story]
    return "\n\n".join([f"### {escape(table.title)}", grid(rows), *stories])


def grid(rows: Iterable[list[str]]) -> str:
    """A table of these cells, which are escaped already; the second row is the rule."""
    return "\n".join("| " + " | ".join(cells) + " |" for cells in rows)


def _line(line: Line, figures: int) -> list[str]:
    names = [escape(name) for name in line.names]
    if line.instead:
        return names + [escape(line.instead)] + [""] * (figures - 1)
    return names + [_cell(cell) for cell in line.cells]


def _cell(cell: Cell) -> str:
    text = f"**{cell.value}**" if cell.best else cell.value
    return f"{text} {escape(cell.spread)}".strip()


def _ratios(heading: str, ratios: list[below.Ratio]) -> str:
    rows = [["row", "metric", "ratio", "interval", "verdict"], ["---", "---", "---:", "---", "---"]]
    rows += [[escape(r.row), r.metric, r.ratio, escape(r.interval), r.verdict] for r in ratios]
    return f"### {escape(heading)}\n\n{grid(rows)}"


def _percentiles(section: percentiles.Section) -> str:
    rows = [["", *section.titles], ["---"] + ["---:"] * len(section.titles)]
    rows += [[escape(row), *(escape(str(cell)) for cell in cells)] for row, cells in section.lines]
    return f"### {section.heading}\n\n{grid(rows)}"


def listed(title: str, lines: list[str]) -> list[str]:
    """A heading and a list; nothing where there are no lines."""
    return [f"### {title}", "\n".join(f"- {escape(line)}" for line in lines)] if lines else []


def _builds(report: Report) -> list[str]:
    if report.origin is not None:
        return [f"{build.name}: its file was not seen here" for build in report.builds]
    return [
        f"{build.name}: {build.size_bytes} bytes, sha256 {report.sha256.get(build.id, 'not computed')}"
        for build in report.builds
    ]
