"""Models by devices: the rows of several reports, each where its build meets a machine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from profiler.analyse.estimate import Estimate
from profiler.analyse.machines import labels, machine_of
from profiler.analyse.metrics import judged_metrics
from profiler.analyse.report import NOT_YET, Row
from profiler.analyse.same_build import KnownBuild, known_builds
from profiler.analyse.source import Source, distinct
from profiler.runfile import Device, Failure, Settings, Workload

NOT_THERE = "not measured there"
MEMORY = "peak_rss_bytes"


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A column: a kind of machine and the target on it. `machine` is what a reader calls it.

    `sources` are the files with rows there. `file` is set where two of them have the same line: then each file has a
    column of its own.
    """

    machine: str
    device: Device
    target: str
    file: str | None
    sources: list[str]


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """A line: one build on one engine, with one value of each setting that varies within a run.

    `content` tells builds of one name apart, `turn` rows of one file that are alike in all of this.
    """

    build: str
    quantization: str | None
    engine: str
    settings: Settings
    content: str | None
    turn: int


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What stands where a line meets a column: headline figures, a failure, or the reason why there is neither.

    `row` is the id that the row has among several files: a.jsonl:r1.
    """

    source: str | None = None
    row: str | None = None
    basis: str | None = None
    figures: dict[str, Estimate] = {}
    failure: Failure | None = None
    reason: str | None = None


class Grid(msgspec.Struct, frozen=True, kw_only=True):
    """One workload. `entries` has a list for each family, with an entry for each place of the matrix."""

    workload: Workload
    families: list[Family]
    entries: list[list[Entry]]


class Matrix(msgspec.Struct, frozen=True, kw_only=True):
    """All rows of all sources. `names` are what the sources are called, `varying` the settings that make lines."""

    names: list[str]
    places: list[Place]
    varying: list[str]
    grids: list[Grid]


Line = tuple[object, ...]
"""What tells one family from another."""

Column = tuple[int, str, str | None]
"""What tells one place from another: number of the machine, target, and the file where it is split by files."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """One row, and which line, machine and target it belongs to."""

    source: str
    row: Row
    workload: Workload
    family: Family
    line: Line
    machine: int


def matrix(sources: Sequence[Source]) -> Matrix:
    """Every row in an entry of its own. Where rows of two files would meet, their column is split: none is averaged."""
    names = unique([source.name for source in sources])
    devices: list[Device] = []
    machines = [machine_of(source.report.device, devices) for source in sources]
    varying = list(dict.fromkeys(name for source in sources for name in source.report.varying))
    found = [
        one
        for source, name, machine, builds in zip(sources, names, machines, known_builds(sources), strict=True)
        for one in _rows(source, name, machine, builds, varying)
    ]
    columns = _columns(found)
    placed = list(zip(found, columns, strict=True))
    targets = [target for _, target, _ in columns]
    order = sorted(dict.fromkeys(columns), key=lambda column: (column[0], targets.index(column[1])))
    return Matrix(
        names=names,
        places=_places(placed, order, devices),
        varying=varying,
        grids=[_grid(workload, placed, order) for workload in dict.fromkeys(one.workload for one in found)],
    )


def unique(names: Sequence[str]) -> list[str]:
    """Names of files that tell them apart in the id of a row, where a colon ends the name: there is none in it."""
    return distinct([name.replace(":", "_") for name in names])


def row_id(source: str, row: str) -> str:
    """What a row is called among those of several files."""
    return f"{source}:{row}"


def headlines(workload: Workload) -> list[str]:
    """The metrics that a matrix shows: those that are judged, and memory."""
    return [*(metric.name for metric in judged_metrics(workload.method)), MEMORY]


def _rows(
    source: Source, name: str, machine: int, builds: Mapping[str, KnownBuild], varying: Sequence[str]
) -> Iterator[Found]:
    """The rows of a source, each with its line. `turn` counts those that are alike in everything else."""
    asked = {workload.id: workload for workload in source.report.workloads}
    seen = Counter[object]()
    for row in source.report.whole:
        build, workload = builds[row.build], asked[row.workload]
        settings = {key: row.settings[key] for key in varying if key in row.settings}
        line = (build.build, build.quantization, build.content, row.engine, *settings.items())
        seen[line, workload, row.target] += 1
        turn = seen[line, workload, row.target]
        family = Family(
            build=build.build,
            quantization=build.quantization,
            engine=row.engine,
            settings=settings,
            content=build.content,
            turn=turn,
        )
        yield Found(
            source=name, row=row, workload=workload, family=family, line=(*line, turn), machine=machine
        )


def _columns(found: Sequence[Found]) -> list[Column]:
    """The column of each row: its machine and target, and its file where another file has the same line there."""
    files: dict[tuple[int, str, Workload, Line], set[str]] = {}
    for one in found:
        files.setdefault((one.machine, one.row.target, one.workload, one.line), set()).add(one.source)
    split = {(machine, target) for (machine, target, _, _), mine in files.items() if len(mine) > 1}
    return [
        (one.machine, one.row.target, one.source if (one.machine, one.row.target) in split else None)
        for one in found
    ]


def _places(
    placed: Sequence[tuple[Found, Column]], order: Sequence[Column], devices: Sequence[Device]
) -> list[Place]:
    called = labels(devices)
    sources: dict[Column, dict[str, None]] = {column: {} for column in order}
    for one, column in placed:
        sources[column][one.source] = None
    return [
        Place(
            machine=called[machine],
            device=devices[machine],
            target=target,
            file=file,
            sources=list(sources[machine, target, file]),
        )
        for machine, target, file in order
    ]


def _grid(workload: Workload, placed: Sequence[tuple[Found, Column]], order: Sequence[Column]) -> Grid:
    asked = [(one, column) for one, column in placed if one.workload == workload]
    families = _together({one.line: one.family for one, _ in asked})
    entries = {(one.line, column): _entry(one) for one, column in asked}
    absent = Entry(reason=NOT_THERE)
    return Grid(
        workload=workload,
        families=list(families.values()),
        entries=[[entries.get((line, column), absent) for column in order] for line in families],
    )


def _together(families: Mapping[Line, Family]) -> dict[Line, Family]:
    """The lines of one build below each other, builds in the order in which the files have them."""
    of_builds: dict[Line, dict[Line, Family]] = {}
    for line, family in families.items():
        build = (family.build, family.quantization, family.content)
        of_builds.setdefault(build, {})[line] = family
    return {line: family for mine in of_builds.values() for line, family in mine.items()}


def _entry(one: Found) -> Entry:
    row = one.row
    return Entry(
        source=one.source,
        row=row_id(one.source, row.id),
        basis=row.basis,
        figures={name: row.metrics[name] for name in headlines(one.workload) if name in row.metrics},
        failure=row.failure,
        reason=None if row.metrics or row.failure else NOT_YET,
    )
