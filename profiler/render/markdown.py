"""The report as Markdown, for a pull request or a verdict page: what is read first is open, the rest is folded."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from profiler.analyse.report import Report
from profiler.render import below, board, cold, energy, memory, percentiles, prediction, profile, sustained
from profiler.render import format as fmt
from profiler.render.columns import Cell, Line, Table, tables
from profiler.render.columns import Section as Described
from profiler.render.markdown_room import Section, fitted, folded, room_for, unlinked, within
from profiler.runfile import Build

_SPECIAL = re.compile(
    r"[\\`*{}\[\]<>|#~!&$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|:(?=//)|(?<=www)\.", re.IGNORECASE
)
_LIST_MARK = re.compile(r"^\s*(\d*)([-+.)])(?=\s|$)")

LONGEST_CELL, LONGEST_TITLE, LONGEST_LINE = 80, 200, 1000
"""Characters of a name in a table, of a heading, and of a fact or notice."""

TABLE_ROOM, LIST_ROOM, STORIES_ROOM, HASHES_ROOM = 28_000, 6_000, 2_000, 20_000
"""Characters of the rows of a table, of a list, of the failures below a table, and of the hashes of builds."""

OPEN = ("Device", "Basis", "Run", "Intervals", "Resolution")
"""Facts that stand open: the others are folded away."""

RANKS = (
    "title", "facts", "notices", "table", "comparisons", "settings", "builds", "cold starts", "courses", "energy",
    "prediction", "profile", "memory", "undecided", "board", "agreement", "percentiles",
)  # fmt: skip
"""Sections from the most important to the first that goes where there is no room for all."""


def render(report: Report) -> str:
    """Table, notices and comparisons; folded: parts of memory, percentiles, settings, board, hashes."""
    return fitted([*_open(report), *_folded(report)])


def section(kind: str, text: str, name: str | None = None) -> Section:
    """A section of the rank of its kind; `name` is what it is called where it is left out."""
    return Section(name=named(name or kind), text=text, rank=RANKS.index(kind))


def _open(report: Report) -> list[Section]:
    facts = below.facts(report)
    return [
        section("title", f"## {escape(fmt.short(_title(report), LONGEST_CELL))}"),
        *(section("table", table(one), f"table of {one.title}") for one in tables(report)),
        *(section("cold starts", table(one)) for one in cold.tables(report)),
        *(section("courses", _course(course), course.heading) for course in sustained.courses(report)),
        section("facts", labelled(fact for fact in facts if fact[0] in OPEN)),
        *_listed("notices", "Notices", below.notices(report)),
        *(section("comparisons", _ratios(*one)) for one in below.comparisons(report)),
        *_listed("undecided", "Undecided", below.undecided(report)),
        *(section("energy", _described(one)) for one in energy.sections(report)),
        *(section("prediction", _described(one)) for one in prediction.sections(report)),
        *(section("profile", _described(one), one.table.title) for one in profile.sections(report)),
    ]


def _folded(report: Report) -> list[Section]:
    state = board.lines(report)
    facts = [fact for fact in below.facts(report) if fact[0] not in OPEN]
    parts = {
        ("memory", "Memory"): [table(one) for one in memory.tables(report)],
        ("percentiles", "Percentiles"): [_percentiles(one) for one in percentiles.sections(report)],
        ("settings", "Settings and environment"): [labelled(facts)] if facts else [],
        ("board", "Board"): [f"### {escape(board.HEADING)}\n\n{labelled(state)}"] if state else [],
        ("agreement", "Agreement"): listed("Agreement", bounded(below.agreements(report))),
        ("builds", "Builds and hashes"): [hashes(report)],
    }
    return [section(kind, folded(summary, inside)) for (kind, summary), inside in parts.items() if inside]


def labelled(lines: Iterable[tuple[str, str]]) -> str:
    """A list of labels and texts."""
    return "\n".join(f"- **{label}**: {escape(fmt.short(text, LONGEST_LINE))}" for label, text in lines)


def _listed(kind: str, title: str, lines: Sequence[str]) -> list[Section]:
    return [section(kind, "\n\n".join(listed(title, bounded(lines))))] if lines else []


def bounded(lines: Sequence[str], room: int = LIST_ROOM) -> list[str]:
    """Lines of a list, none of them longer than a reader reads, and no more than there is room for."""
    return within([fmt.short(line, LONGEST_LINE) for line in lines], room)


def escape(text: str) -> str:
    """Text from elsewhere, inert in Markdown and in the HTML that it becomes; addresses do not become links."""
    return unlinked(_LIST_MARK.sub(r"\1\\\2", _SPECIAL.sub(r"\\\g<0>", fmt.plain(text))))


def named(text: str) -> str:
    """A name from elsewhere, inert and no longer than a reader reads."""
    return escape(fmt.short(text, LONGEST_CELL))


def _title(report: Report) -> str:
    return f"Latency on {report.device.label}"


def _course(course: sustained.Course) -> str:
    return f"### {escape(fmt.short(course.heading, LONGEST_TITLE))}\n\n{labelled(course.lines)}"


def _described(found: Described) -> str:
    return f"{table(found.table)}\n\n{labelled(found.lines)}"


def table(shown: Table) -> str:
    """A heading, the rows that there is room for, and what went wrong in those without figures."""
    titles = [f"{title}, {unit}".strip(", ") for title, unit in shown.figures]
    header = [*map(named, [*shown.names, *titles])]
    rule = ["---"] * len(shown.names) + ["---:"] * len(shown.figures)
    rows = [_line(line, len(shown.figures)) for line in shown.lines]
    kept = room_for([grid([row]) for row in rows], TABLE_ROOM)
    cut = f"The first {kept} of {len(rows)} rows are shown: JSON and CSV have all of them."
    stories = [f"{line.names[0]}: {line.story}" for line in shown.lines if line.story]
    return "\n\n".join(
        [
            f"### {escape(fmt.short(shown.title, LONGEST_TITLE))}",
            grid([header, rule, *rows[:kept]]),
            *([cut] if kept < len(rows) else []),
            *map(escape, bounded(stories, STORIES_ROOM)),
        ]
    )


def grid(rows: Iterable[list[str]]) -> str:
    """A table of these cells, which are escaped already; the second row is the rule."""
    return "\n".join("| " + " | ".join(cells) + " |" for cells in rows)


def _line(line: Line, figures: int) -> list[str]:
    names = [named(name) for name in line.names]
    if line.instead:
        return names + [escape(line.instead)] + [""] * (figures - 1)
    return names + [_cell(cell) for cell in line.cells]


def _cell(cell: Cell) -> str:
    text = f"**{cell.value}**" if cell.best else cell.value
    return f"{text} {named(cell.spread)}".strip()


def _ratios(heading: str, ratios: Sequence[below.Ratio]) -> str:
    rows = [["row", "metric", "ratio", "interval", "verdict"], ["---", "---", "---:", "---", "---"]]
    rows += [[named(r.row), r.metric, r.ratio, escape(r.interval), r.verdict] for r in ratios]
    return f"### {escape(fmt.short(heading, LONGEST_TITLE))}\n\n{grid(rows)}"


def _percentiles(found: percentiles.Section) -> str:
    rows = [["", *found.titles], ["---"] + ["---:"] * len(found.titles)]
    rows += [[named(row), *(escape(str(cell)) for cell in cells)] for row, cells in found.lines]
    return f"### {found.heading}\n\n{grid(rows)}"


def listed(title: str, lines: Sequence[str]) -> list[str]:
    """A heading and a list; nothing where there are no lines."""
    return [f"### {title}", "\n".join(f"- {escape(line)}" for line in lines)] if lines else []


def hashes(report: Report) -> str:
    """A list of what each build was, by its content."""
    lines = [f"{fmt.short(build.name, LONGEST_CELL)}: {_content(report, build)}" for build in report.files]
    return "\n".join(f"- {escape(line)}" for line in bounded(lines, HASHES_ROOM))


def _content(report: Report, build: Build) -> str:
    if report.origin is not None:
        return "its file was not seen here"
    return f"{build.size_bytes} bytes, sha256 {report.sha256.get(build.id, 'not computed')}"
