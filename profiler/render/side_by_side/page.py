"""The whole page as text, for whatever shows it."""

from __future__ import annotations

from profiler.analyse.side_by_side import SCHEMA, SideBySide
from profiler.render import format as fmt
from profiler.render.side_by_side.cards import cards
from profiler.render.side_by_side.tables import tables
from profiler.render.side_by_side.view import Column, Page, Table, cell

EXPLAIN = "every figure names its file and row: `edgeprof explain FILE ROW METRIC` shows how it was computed"
INTERVALS = (
    "intervals are at 95%, of that machine in those minutes; the JSON has the level of sums of several"
)


def page(found: SideBySide) -> Page:
    """Cards, tables and notes."""
    files = ", ".join(source.name for source in found.sources)
    review = f" and the review {found.review}" if found.review else "; no review was given"
    return Page(
        title=fmt.plain(found.title),
        question=fmt.plain(found.question or ""),
        basis=fmt.plain(f"From {files}{review}. Schema {SCHEMA}."),
        cards=cards(found),
        tables=[*tables(found), _sources(found)],
        notes=[fmt.plain(note) for note in [*found.notes, INTERVALS, EXPLAIN]],
    )


def _sources(found: SideBySide) -> Table:
    titles = ("File", "Device", "Basis", "Run", "edgeprof")
    return Table(
        heading="Files",
        facts=[],
        columns=[Column(title) for title in titles],
        rows=[
            [
                cell(source.name),
                cell(source.device),
                cell(", ".join(source.basis)),
                cell(source.run_id),
                cell(source.edgeprof),
            ]
            for source in found.sources
        ],
        notes=[],
    )
