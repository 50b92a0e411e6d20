"""Several reports as one JSON, schema edgeprof.reports/1.

`rows` and `comparisons` are those of all reports, as edgeprof.report/1 has them, but for their ids: a row is called by
its file and its id, as in a.jsonl:r1. `reports` has everything else of each report, and the ids of its rows; `matrix`
has models by devices.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec.structs import asdict, replace

from profiler.analyse.comparison import Comparison
from profiler.analyse.matrix import Matrix, matrix, row_id
from profiler.analyse.report import Report, Row
from profiler.analyse.source import Source
from profiler.render.json import encoded

SCHEMA = "edgeprof.reports/1"


class Reports(msgspec.Struct, frozen=True, kw_only=True):
    """What the schema has."""

    schema: str
    rows: list[Row]
    comparisons: list[Comparison]
    reports: list[dict[str, Any]]
    matrix: Matrix


def render(sources: Sequence[Source]) -> str:
    """Every figure of every report, in the order of the files."""
    found = matrix(sources)
    named = [(name, source.report) for name, source in zip(found.names, sources, strict=True)]
    return encoded(
        Reports(
            schema=SCHEMA,
            rows=[replace(row, id=row_id(name, row.id)) for name, one in named for row in one.rows],
            comparisons=[_comparison(name, item) for name, one in named for item in one.comparisons],
            reports=[_report(name, one) for name, one in named],
            matrix=found,
        )
    )


def _comparison(name: str, item: Comparison) -> Comparison:
    return replace(item, base=row_id(name, item.base), candidate=row_id(name, item.candidate))


def _report(name: str, report: Report) -> dict[str, Any]:
    """All of a report but its rows and comparisons, which stand among those of all files."""
    rest = {key: value for key, value in asdict(report).items() if key not in ("rows", "comparisons")}
    return {
        "name": name,
        **rest,
        "rows": [row_id(name, row.id) for row in report.rows],
        "anchors": [row_id(name, anchor) for anchor in report.anchors],
        "best": [(metric, row_id(name, row)) for metric, row in report.best],
    }
