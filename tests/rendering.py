"""Every way to show a report, so that a test may ask all of them the same."""

from __future__ import annotations

from profiler.analyse.report import Report
from profiler.render import formats, terminal

EVERY_FORMAT = [*sorted(formats.MODULES), "terminal at 60"]


def rendered(found: Report, name: str) -> str:
    return terminal.render(found, 60) if name == "terminal at 60" else formats.render(found, name)
