"""Percentiles of gaps and first tokens, one line for each row. Terminal and Markdown share it."""

from __future__ import annotations

import msgspec

from profiler.analyse.estimate import Estimate
from profiler.analyse.percentiles import PERCENTILES
from profiler.analyse.report import Report, Row
from profiler.render import format as fmt

MOST_ROWS = 40
"""A longer section helps nobody: CSV and JSON have all rows."""


class Figure(msgspec.Struct, frozen=True):
    """A value, and its spread or bound."""

    value: str
    spread: str = ""

    def __str__(self) -> str:
        return f"{self.value} {self.spread}".rstrip()


class Section(msgspec.Struct, frozen=True):
    """A heading, the titles of its columns, and for each row its id and figures; absent figures are dashes."""

    heading: str
    titles: list[str]
    lines: list[tuple[str, list[Figure]]]


def sections(report: Report) -> list[Section]:
    """Gaps between tokens; first tokens, where there are processes enough for a p90."""
    rows = [row for row in report.rows if "itl_ms.p50" in row.metrics]
    found = [_gaps(rows), _first_tokens(rows)] if len(rows) <= MOST_ROWS else []
    return [section for section in found if section.lines]


def _gaps(rows: list[Row]) -> Section:
    return Section(
        "Gaps between tokens, ms, pooled over all positions",
        [*(f"p{p}" for p in PERCENTILES), "first to last tenth"],
        [
            (fmt.plain(row.id), [*(_gap(row.metrics[f"itl_ms.p{p}"]) for p in PERCENTILES), _growth(row)])
            for row in rows
            if row.metrics["itl_ms.p50"].value is not None
        ],
    )


def _gap(figure: Estimate) -> Figure:
    return Figure(fmt.figure(figure), fmt.spread(figure))


def _growth(row: Row) -> Figure:
    """How the median gap grows from the beginning of the answer to its end."""
    first, last = row.metrics["itl_ms.first_tenth"], row.metrics["itl_ms.last_tenth"]
    if first.value is None or last.value is None:
        return Figure("-")
    return Figure(f"{fmt.figure(first)} to {fmt.figure(last)}")


def _first_tokens(rows: list[Row]) -> Section:
    return Section(
        "First tokens, ms, one of each process, with 95% upper bounds",
        [f"p{p}" for p in PERCENTILES],
        [
            (fmt.plain(row.id), [_first_token(row.metrics[f"ttft_ms.p{p}"]) for p in PERCENTILES])
            for row in rows
            if row.metrics["ttft_ms.p90"].value is not None
        ],
    )


def _first_token(figure: Estimate) -> Figure:
    if figure.value is None:
        return Figure("-")
    return Figure(fmt.figure(figure), "(open)" if figure.high is None else f"(≤ {fmt.number(figure.high)})")
