"""One document that a report is made from: a run file with its report, or imported figures without stamps."""

from __future__ import annotations

import msgspec

from profiler.analyse.report import Report
from profiler.runfile import Run


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """`name` is the file's name; `run` is None where the figures come from another tool and have no stamps."""

    name: str
    report: Report
    run: Run | None
