"""One document that a report is made from: a run file with its report, or imported figures without stamps."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import msgspec
from msgspec.structs import replace

from profiler.analyse.report import Report
from profiler.analyse.study import Study
from profiler.runfile import Run


class Source(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """`name` is the file's name; `run` is None where the figures come from another tool and have no stamps."""

    name: str
    report: Report
    run: Run | None

    @cached_property
    def study(self) -> Study | None:
        """The samples of the run, for whatever asks more of them than its report tells: verdicts, charts."""
        return None if self.run is None else Study(self.run)


def named_apart(sources: Sequence[Source]) -> list[Source]:
    """The same sources under names that tell them apart."""
    names = distinct([source.name for source in sources])
    return [replace(source, name=name) for source, name in zip(sources, names, strict=True)]


def distinct(names: Sequence[str]) -> list[str]:
    """Names that tell files apart: the second run.jsonl is called run.jsonl (2)."""
    found: dict[str, None] = {}
    for name in names:
        number, told = 1, name
        while told in found:
            number += 1
            told = f"{name} ({number})"
        found[told] = None
    return list(found)
