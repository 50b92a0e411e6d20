"""The sections of one source, in the order of a page: each chart beside the tables that belong to it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from profiler.analyse.report import Report
from profiler.analyse.source import Source
from profiler.render import below, cold, energy, memory, percentiles, prediction, profile, spark, sustained
from profiler.render import format as fmt
from profiler.render.charts import Chart
from profiler.render.columns import Section as Described
from profiler.render.html import grids, reproduce, surroundings
from profiler.render.html.parts import Block, Section, section

TITLES = {
    "speed": "First token and decode",
    "prediction": "Prediction and measurement",
    "profile": "Where the time goes",
    "depth": "Decode speed against depth",
    "gaps": "Gaps between tokens",
    "memory": "Memory",
    "cold": "Cold start",
    "sustained": "Over minutes",
    "energy": "Energy",
    "bandwidth": "Share of memory bandwidth",
    "intrusions": "Intrusions",
    "more": "More charts",
    "agreement": "Agreement",
    "settings": "Settings and environment",
    "reproduce": "How to reproduce",
}
"""Sections by what they are called in an address."""

FORETOLD = "What was predicted before the run, and what the run measured"

OF_SPEED = ("ttft", "prefill", "decode", "pp", "tg")
"""Charts of the first section; others stand in the section that their name begins with."""

WITH_TABLE = ("memory", "energy", "bandwidth", "intrusions")
"""Sections that show the figures of their charts in a table for all rows."""

BLOCKS_FIRST = re.compile(rf"^[{spark.BLOCKS}{sustained.DISTURBED}]+ ")


def of_source(source: Source, charts: Sequence[Chart], prefix: str = "") -> list[Section]:
    """Everything below the first table. `prefix` tells the sections of several sources apart."""
    report = source.report
    placed: dict[str, list[Block]] = {name: [] for name in TITLES}
    for chart in charts:
        placed[place(chart)].append(_drawn(chart, place(chart)))
    tables = _tables(report) | {"reproduce": reproduce.blocks(source)}
    found = [
        section(prefix + name, title, [*placed[name], *tables.get(name, [])])
        for name, title in TITLES.items()
    ]
    return [one for several in found for one in several]


def place(chart: Chart) -> str:
    kind = chart.name.split("-")[0]
    return "speed" if kind in OF_SPEED else kind if kind in TITLES else "more"


def _drawn(chart: Chart, place: str) -> Block:
    """A chart without what its section says already: the title, and figures that have a full table there."""
    table = None if place in WITH_TABLE else chart.table
    heading = "" if chart.title == TITLES[place] else chart.title
    return Block(heading=heading, says=chart.says, chart=replace(chart, table=table))


def _tables(report: Report) -> dict[str, list[Block]]:
    """Tables and lines by section."""
    first, gaps = _percentiles(report)
    return {
        "speed": [*_comparisons(report), *first],
        "prediction": [_described(one, FORETOLD) for one in prediction.sections(report)],
        "profile": [_described(one) for one in profile.sections(report)],
        "gaps": gaps,
        "memory": [Block(grid=grids.of_table(table)) for table in memory.tables(report)],
        "cold": [Block(grid=grids.of_table(table)) for table in cold.tables(report)],
        "sustained": [Block(heading=one.heading, facts=_told(one)) for one in sustained.courses(report)],
        "energy": _energy(report),
        "bandwidth": _bandwidth(report),
        "intrusions": [Block(grid=grids.intrusions(report))] if any(row.metrics for row in report.rows) else [],
        "agreement": _items(below.agreements(report)),
        "settings": surroundings.blocks(report),
    }  # fmt: skip


def _told(course: sustained.Course) -> list[tuple[str, str]]:
    """The lines of a course without their blocks, which the chart draws better and nobody can hear."""
    return [(label, BLOCKS_FIRST.sub("", text)) for label, text in course.lines]


def _described(found: Described, caption: str | None = None) -> Block:
    return Block(grid=grids.of_table(found.table, caption), facts=found.lines)


def _bandwidth(report: Report) -> list[Block]:
    """What is read for a token, below the bandwidth that it is a share of."""
    share, device = grids.bandwidth(report), report.device
    bytes_per_s = device.memory_bandwidth_bytes_per_s
    source = f" ({device.bandwidth_source})" if device.bandwidth_source else ""
    known = f"{fmt.number(bytes_per_s / 1e9)} GB/s{source}" if bytes_per_s else "not known of this device"
    return [Block(grid=share, facts=[("Bandwidth", fmt.plain(known))])] if share else []


def notices(report: Report) -> list[Block]:
    """What a reader must know before using a figure, right below the first table."""
    return _items(below.notices(report), "Notices")


def _items(lines: Sequence[str], heading: str = "") -> list[Block]:
    return [Block(heading=heading, items=lines)] if lines else []


def _comparisons(report: Report) -> Iterable[Block]:
    for heading, ratios in below.comparisons(report):
        yield Block(heading="Comparisons", grid=grids.comparisons(heading, ratios))
    yield from _items(below.undecided(report), "What would decide the undecided")


def _percentiles(report: Report) -> tuple[list[Block], list[Block]]:
    """Those of first tokens, and those of gaps."""
    found = [Block(heading="Percentiles", grid=grids.of_percentiles(s)) for s in percentiles.sections(report)]
    first = [block for block in found if block.grid and block.grid.caption.startswith("First")]
    return first, [block for block in found if block not in first]


def _energy(report: Report) -> list[Block]:
    metered = [_described(one) for one in energy.sections(report)]
    why_not = fmt.plain(energy.not_metered(report))
    return metered or ([Block(says=f"{why_not[:1].upper()}{why_not[1:]}.")] if why_not else [])
