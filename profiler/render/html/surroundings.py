"""Settings, builds, board and environment of a run, for its section near the end."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from profiler.analyse.report import Report
from profiler.render import below, board
from profiler.render import format as fmt
from profiler.render.html.parts import Block, Cell, Grid, Head

LONGEST, MOST_FACTS, DEEPEST = 600, 200, 8
"""Characters of a fact, facts of an environment, and levels within one: the run file has all of them."""

UNREADABLE, BYTES = "unreadable", "_bytes"


def blocks(report: Report) -> list[Block]:
    """What the run was made with and where."""
    state = board.lines(report)
    return [
        Block(facts=below.facts(report)),
        Block(heading="Builds", grid=_builds(report)),
        *([Block(heading=board.HEADING, facts=state)] if state else []),
        Block(heading="Environment", facts=list(islice(_environment(report), MOST_FACTS)), folded=True),
    ]


def _builds(report: Report) -> Grid:
    return Grid(
        caption="Files that were measured",
        heads=[Head("file"), Head("format"), Head("quant"), Head("size", number=True), Head("SHA-256")],
        rows=[
            [
                Cell(fmt.plain(build.name), kind="name"),
                Cell(fmt.plain(build.format)),
                Cell(fmt.plain(build.quantization or "-")),
                Cell(fmt.size(build.size_bytes), amount=float(build.size_bytes)),
                Cell(fmt.plain(report.sha256.get(build.id, "not computed")), kind="hash"),
            ]
            for build in report.files
        ],
    )


def _environment(report: Report) -> Iterator[tuple[str, str]]:
    """What was read of the machine, what was not, and what the engines said of themselves."""
    told = report.environment
    for name, value in told.items():
        if name != UNREADABLE and value not in (None, [], {}):
            yield _named(name, value)
    for engine, parts in report.engines.items():
        if parts.get("system"):
            yield _plain(engine), _plain(str(parts["system"]))
    reasons = told.get(UNREADABLE)
    if isinstance(reasons, dict) and reasons:
        yield "not readable", _plain(_text(reasons))


def _named(name: str, value: Any) -> tuple[str, str]:
    """Bytes as a size: memory_total_bytes 8589934592 is memory total, 8.0 GiB."""
    if name.endswith(BYTES) and isinstance(value, int | float):
        return _plain(name.removesuffix(BYTES).replace("_", " ")), fmt.size(value)
    return _plain(name.replace("_", " ")), _plain(_text(value))


def _text(value: Any, level: int = 0) -> str:
    if level > DEEPEST:
        return "..."
    if isinstance(value, Mapping):
        return "; ".join(f"{name} {_text(inner, level + 1)}" for name, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_text(inner, level + 1) for inner in value)
    return fmt.setting(value) if isinstance(value, bool) else str(value)


def _plain(text: str) -> str:
    return fmt.plain(textwrap.shorten(text, LONGEST, placeholder=" ..."))
