"""The report as Markdown, for a pull request or a verdict page."""

from __future__ import annotations

import re

from profiler.analyse.report import Report
from profiler.render import below
from profiler.render import format as fmt
from profiler.render.columns import Cell, Line, Table, tables

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#~!&])")


def render(report: Report) -> str:
    """Table, facts, comparisons, notices, hashes."""
    parts = [f"## {escape(_title(report))}", *map(_table, tables(report))]
    parts.append("\n".join(f"- **{label}**: {escape(text)}" for label, text in below.facts(report)))
    parts += [_ratios(heading, ratios) for heading, ratios in below.comparisons(report)]
    parts += _section("Notices", below.notices(report))
    parts += _section("Builds", _builds(report))
    return "\n\n".join(parts) + "\n"


def escape(text: str) -> str:
    """Text from elsewhere, inert in Markdown and in the HTML that it becomes."""
    return _SPECIAL.sub(r"\\\1", fmt.plain(text))


def _title(report: Report) -> str:
    return f"Latency on {report.device.cpu or report.device.name}"


def _table(table: Table) -> str:
    header = [*table.names, *map(_heading, table.figures)]
    rule = ["---"] * len(table.names) + ["---:"] * len(table.figures)
    rows = [_row(header), _row(rule), *(_row(_line(line, len(table.figures))) for line in table.lines)]
    return f"### {escape(table.title)}\n\n" + "\n".join(rows)


def _heading(figure: tuple[str, str]) -> str:
    title, unit = figure
    return f"{title}, {unit}" if unit else title


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _line(line: Line, figures: int) -> list[str]:
    names = [escape(name) for name in line.names]
    if line.failure:
        return names + ["failed: " + escape(line.failure)] + [""] * (figures - 1)
    return names + [_cell(cell) for cell in line.cells]


def _cell(cell: Cell) -> str:
    text = f"**{cell.value}**" if cell.best else cell.value
    return f"{text} {escape(cell.spread)}".strip()


def _ratios(heading: str, ratios: list[below.Ratio]) -> str:
    rows = [["row", "metric", "ratio", "interval", "verdict"], ["---", "---", "---:", "---", "---"]]
    rows += [[escape(r.row), r.metric, r.ratio, r.interval, r.verdict] for r in ratios]
    return f"### {escape(heading)}\n\n" + "\n".join(map(_row, rows))


def _section(title: str, lines: list[str]) -> list[str]:
    if not lines:
        return []
    return [f"### {title}\n\n" + "\n".join(f"- {escape(line)}" for line in lines)]


def _builds(report: Report) -> list[str]:
    return [
        f"{build.name}: {build.size_bytes} bytes, sha256 {report.sha256.get(build.id, 'not computed')}"
        for build in report.builds
    ]
