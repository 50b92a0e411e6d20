"""The report as JSON, schema edgeprof.report/1."""

from __future__ import annotations

import msgspec

from profiler.analyse.report import Report


def render(report: Report) -> str:
    """Every figure with its interval, in the order of the rows."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2).decode() + "\n"
