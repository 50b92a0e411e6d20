"""What the rows of a report are called, so that a reader can tell them apart."""

from __future__ import annotations

from profiler.analyse.report import Report, Row
from profiler.render import format as fmt

LONGEST = 120
"""Characters of a name on a screen or a page; CSV and JSON have all of them."""


def bounded(name: str) -> str:
    """A name without what cannot be seen, and no longer than a reader reads."""
    return fmt.plain(fmt.short(name, LONGEST))


def telling(report: Report) -> list[str]:
    """Which of engine and target are not the same in all rows."""
    return [name for name in ("engine", "target") if len({getattr(row, name) for row in report.rows}) > 1]


def settings(report: Report, row: Row) -> list[str]:
    """The values of this row for the settings that vary in its run."""
    return [bounded(fmt.setting(row.settings.get(name))) for name in report.varying]


def names(report: Report, *, workload: bool = True) -> dict[str, str]:
    """For each row's id its build (or quantization, where that says it), and what else varies.

    `workload` False leaves that out where it is said already.
    """
    builds = {row.build for row in report.rows}
    quantizations = {row.quantization for row in report.rows}
    by_quantization = len(quantizations) == len(builds) and None not in quantizations
    fields = ["quantization" if by_quantization else "build", *telling(report)]
    fields += ["workload"] if workload and len(report.workloads) > 1 else []
    found = {row.id: [_name(report, row, fields), *marks(report, row)] for row in report.rows}
    return {id: ", ".join(parts) for id, parts in found.items()}


def marks(report: Report, row: Row) -> list[str]:
    """What a row is beside a case of this run, if it is anything else."""
    layers = report.shapes.get(row.id)
    told = {
        "anchor": row.id in report.anchors,
        "extrapolated": row.basis == "extrapolated",
        f"shape with {layers}": layers is not None,
    }
    return [word for word, holds in told.items() if holds]


def _name(report: Report, row: Row, fields: list[str]) -> str:
    varying = zip(report.varying, settings(report, row), strict=True)
    parts = [getattr(row, field) for field in fields] + [f"{name} {value}" for name, value in varying]
    return ", ".join(map(bounded, parts))
