"""Several reports as CSV: one line for each row and metric, the file that it is from before it."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from profiler.analyse.matrix import unique
from profiler.analyse.source import Source
from profiler.render.csv import COLUMNS, inert, lines

RUN = "run"
"""The column more than the CSV of one report has, and the first: the name of the file."""


def render(sources: Sequence[Source]) -> str:
    """Full precision, empty where a figure is absent. Ids of rows are those of their own file."""
    output = io.StringIO()
    writer = csv.writer(output, lineterminator="\n")
    writer.writerow((RUN, *COLUMNS))
    for name, source in zip(unique([source.name for source in sources]), sources, strict=True):
        writer.writerows([inert(name), *line] for row in source.report.rows for line in lines(row))
    return output.getvalue()
