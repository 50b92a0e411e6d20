"""What stands below models by devices, as plain lines: where the files are not alike, and what each of them is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from profiler.analyse.comparison import asked, changes
from profiler.analyse.matrix import Grid, Matrix, matrix
from profiler.analyse.plural import plural
from profiler.analyse.report import Report
from profiler.analyse.source import Source
from profiler.render import below
from profiler.render import format as fmt

MOST_NAMED, LONGEST = 4, 60
MOST_UNLIKE = 20
"""More lines of what is not the same everywhere help nobody: the facts of each file have all of it."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
OF_SEVERAL = (
    "a dash: not measured there; columns are not judged against each other, `edgeprof compare` judges two files",
    "`edgeprof report` on one file shows its comparisons, percentiles and parts of memory; JSON has all of every file",
)


def notes(sources: Sequence[Source]) -> list[str]:
    """How to read the tables, and where what stands side by side was not done alike."""
    found = matrix(sources)
    unlike = [*_unlike(sources, found.names)]
    more = len(unlike) - MOST_UNLIKE
    lines = [
        *OF_SEVERAL,
        *_bases(sources),
        *_workloads(found),
        *_split(found),
        *_same_run(sources, found.names),
        *unlike[:MOST_UNLIKE],
        *([f"{more} more settings and versions are not the same everywhere"] if more > 0 else []),
    ]
    return [fmt.plain(line) for line in lines]


def heading(found: Matrix, name: str, source: Source) -> str:
    """A file and the machine it is of, as the tables call it."""
    named = (place.machine for place in found.places if name in place.sources)
    return fmt.plain(f"{fmt.short(name, LONGEST)}: {next(named, source.report.device.name)}")


def facts(source: Source) -> list[tuple[str, str]]:
    """Label and text of what a file is and what it says of its run."""
    if source.run is None:
        return below.facts(source.report)
    header = source.run.header
    moment = EPOCH + timedelta(seconds=header.started.wall_ns // 10**9)
    started = f"run {header.run_id} of edgeprof {header.edgeprof}, started {moment:%Y-%m-%d %H:%M} UTC"
    return [("Recorded", fmt.plain(started)), *below.facts(source.report)]


def _bases(sources: Sequence[Source]) -> list[str]:
    return list(dict.fromkeys(text for source in sources if (text := below.basis(source.report))))


def _workloads(found: Matrix) -> Iterator[str]:
    """Workloads of one name that are not one workload."""
    first: dict[str, Grid] = {}
    for grid in found.grids:
        other = first.setdefault(grid.workload.id, grid)
        if other is not grid:
            differs = "; ".join(changes(asked(other.workload), asked(grid.workload)))
            yield (
                f"{grid.workload.id} of {_files(_sources(grid))} is not that of {_files(_sources(other))} "
                f"({differs}): each has tables of its own"
            )


def _sources(grid: Grid) -> list[str]:
    return list(dict.fromkeys(entry.source for line in grid.entries for entry in line if entry.source))


def _split(found: Matrix) -> Iterator[str]:
    """Places that have a column for each file."""
    split: dict[tuple[str, str], list[str]] = {}
    for place in found.places:
        if place.file is not None:
            split.setdefault((place.machine, place.target), []).append(place.file)
    for (machine, _), files in split.items():
        yield f"{_files(files)} have the same build on {machine}: each has a column of its own, nothing is averaged"


def _same_run(sources: Sequence[Source], names: Sequence[str]) -> Iterator[str]:
    runs: dict[str, list[str]] = {}
    for source, name in zip(sources, names, strict=True):
        if source.run is not None:
            runs.setdefault(source.report.run_id, []).append(name)
    for files in runs.values():
        if len(files) > 1:
            yield f"{_files(files)} are the same run"


def _unlike(sources: Sequence[Source], names: Sequence[str]) -> Iterator[str]:
    """Plans, settings and versions with the files that have each value, where there are several."""
    told: dict[str, dict[str, list[str]]] = {}
    for source, name in zip(sources, names, strict=True):
        for what, value in (
            _plan(source.report) | _settings(source.report) | _versions(source.report)
        ).items():
            told.setdefault(what, {}).setdefault(value, []).append(name)
    for what, values in told.items():
        if len(values) > 1:
            shown = (f"{fmt.short(value, LONGEST)} in {_files(files)}" for value, files in values.items())
            yield f"{what}: {'; '.join(shown)}"


def _plan(report: Report) -> dict[str, str]:
    limit = report.memory_limit_bytes
    return {
        "starts": "cold" if report.cold else "warm",
        "limit of each process": fmt.size(limit) if limit else "none",
        "sustained for": fmt.duration(report.sustained_s) if report.sustained_s else "no time",
    }


def _settings(report: Report) -> dict[str, str]:
    """Those that do not vary within a run: those that do make lines."""
    return {
        f"{name} of {row.engine}": fmt.setting(value)
        for row in report.rows
        for name, value in row.settings.items()
        if name not in report.varying
    }


def _versions(report: Report) -> dict[str, str]:
    return {
        f"{part} of {engine}": version
        for engine, told in report.engines.items()
        for part, version in told.items()
        if version and part != "system"
    }


def counted(sources: Sequence[Source]) -> str:
    """How many runs these are; files where some come from another tool."""
    return plural(len(sources), "run" if all(source.run for source in sources) else "file")


def _files(names: Sequence[str]) -> str:
    """a.jsonl, b.jsonl and c.jsonl; of many the first few."""
    shown = [fmt.short(name, LONGEST) for name in names[:MOST_NAMED]]
    more = len(names) - len(shown)
    if more > 0:
        return f"{', '.join(shown)} and {more} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else shown[0]
