"""Cases found in the files of one tool, made into one document: processes of the same case belong to one row."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from profiler import __version__
from profiler.errors import UserError
from profiler.importing.reading import Foreign
from profiler.runfile import MOST_CASES, Build, Device, Settings, Workload
from profiler.runfile.imported import (
    MOST_FILES,
    MOST_REFUSED,
    Imported,
    ImportedRow,
    Origin,
    Refused,
    Remark,
    Stated,
)


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """One case of one process. Cases of several files with one `key` were asked the same of the same thing."""

    key: Hashable
    build: Build
    engine: str
    target: str
    settings: Settings
    workload: Workload
    figures: Mapping[str, Stated]
    remarks: Sequence[Remark] = ()


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What one file holds, and what of it was refused. `machine` is what the tool calls the device."""

    foreign: Foreign
    version: str
    machine: str | None
    found: Sequence[Found]
    refused: Sequence[Refused]


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """Another tool: its name, and what of its figures becomes which metric of ours."""

    name: str
    taken: Mapping[str, str]


def document(tool: Tool, told: Sequence[Told], device: Device, model: str | None) -> Imported:
    """Everything that these files tell, as one document. `model` is the name to give to the only model in them.

    Raises `UserError` for files of two versions, one file twice, or too many cases.
    """
    _refuse_twice(told)
    version = _only("version", [one.version for one in told], told)
    merged = _merged(told)
    if not merged:
        reason = next((refused.reason for one in told for refused in one.refused), "it holds no case")
        raise UserError(f"{told[0].foreign.file.name} has nothing to import: {reason}")
    if len(merged) > MOST_CASES or len(told) > MOST_FILES:
        raise UserError(
            f"these are {len(told)} files with {len(merged)} cases; {MOST_FILES} files with {MOST_CASES} are accepted"
        )
    builds = _builds([found.build for found, _ in merged], model)
    rows = [_row(n, found, stated, builds) for n, (found, stated) in enumerate(merged, start=1)]
    return Imported(
        edgeprof=__version__,
        origin=Origin(
            tool=tool.name,
            version=version or "not told",
            files=[one.foreign.file for one in told],
            taken={
                name: text for name, text in tool.taken.items() if any(name in row.figures for row in rows)
            },
            refused=list(dict.fromkeys(refused for one in told for refused in one.refused))[:MOST_REFUSED],
        ),
        device=device,
        builds=list(builds.values()),
        rows=rows,
    )


def machine_of(told: Sequence[Told]) -> str | None:
    """The one device that all files were made on, as they call it. Raises `UserError` for two."""
    return _only("device", [one.machine for one in told], told)


def _only(what: str, values: Sequence[str | None], told: Sequence[Told]) -> str | None:
    for value, one in zip(values, told, strict=True):
        if value != values[0]:
            raise UserError(
                f"{told[0].foreign.file.name} and {one.foreign.file.name} are not of one {what} "
                f"({values[0]} and {value}): import each by itself"
            )
    return values[0]


def _refuse_twice(told: Sequence[Told]) -> None:
    names: dict[str, str] = {}
    for file in (one.foreign.file for one in told):
        if file.sha256 in names:
            raise UserError(
                f"{names[file.sha256]} and {file.name} have the same content: a process counts only once"
            )
        names[file.sha256] = file.name


def _merged(told: Sequence[Told]) -> list[tuple[Found, dict[str, list[Stated]]]]:
    """Each case with the statements of its processes. A case that stands twice in one file stays two rows."""
    cases: dict[tuple[Hashable, int], tuple[Found, dict[str, list[Stated]]]] = {}
    for place, one in enumerate(told):
        seen: dict[Hashable, int] = {}
        for found in one.found:
            seen[found.key] = seen.get(found.key, 0) + 1
            _, figures = cases.setdefault((found.key, seen[found.key]), (found, {}))
            for name, stated in found.figures.items():
                figures.setdefault(name, []).append(replace(stated, file=place))
    return [
        (replace(found, remarks=[*found.remarks, REPEATED]) if (key, 2) in cases else found, figures)
        for (key, _), (found, figures) in cases.items()
    ]


REPEATED = Remark(
    code="repeated",
    seen="one file has this case more than once, and whether in fresh processes is not told: each is a row of its own",
    advice="for an interval over processes import a file for each process",
)


def _builds(builds: Sequence[Build], model: str | None) -> dict[Build, Build]:
    """Each different build under an id of its own."""
    different = list(dict.fromkeys(builds))
    if model is not None and len(different) > 1:
        names = ", ".join(sorted({build.name for build in different})[:8])
        raise UserError(f"--model names one model, and there are {len(different)} builds here: {names}")
    taken: dict[str, int] = {}
    found = {}
    for build in different:
        name = model or build.id
        taken[name] = taken.get(name, 0) + 1
        found[build] = replace(build, id=name if taken[name] == 1 else f"{name}-{taken[name]}")
    return found


def _row(
    number: int, found: Found, figures: Mapping[str, list[Stated]], builds: Mapping[Build, Build]
) -> ImportedRow:
    return ImportedRow(
        id=f"r{number}",
        build=builds[found.build].id,
        engine=found.engine,
        target=found.target,
        settings=found.settings,
        workload=found.workload,
        figures=dict(figures),
        remarks=list(found.remarks),
    )
