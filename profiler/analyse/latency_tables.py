"""Rows of several models that may stand in one table: those of one device that were asked the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import msgspec

from profiler.analyse import said
from profiler.analyse.comparison import changes
from profiler.analyse.differences import ENVIRONMENT, LONGEST
from profiler.analyse.estimate import Estimate
from profiler.analyse.fits import memory_of
from profiler.analyse.of_models import Member, ModelRows
from profiler.analyse.report import NOT_YET, failed_as
from profiler.analyse.source import Source
from profiler.runfile import Settings, Workload

SHOWN = ("ttft_ms", "prefill_tps", "decode_tps", "pp_tps", "tg_tps")
"""The speeds of a table, of those that its rows have."""

MOST_DIFFERENCES = 12


class LatencyLine(msgspec.Struct, frozen=True, kw_only=True):
    """One row with the file and the row's id there. `memory_is` says which figure `memory` is."""

    model: str
    source: str
    row: str
    build: str
    quantization: str | None
    engine: str
    target: str
    settings: Settings
    context: int | None
    basis: str
    metrics: dict[str, Estimate]
    memory: Estimate | None
    memory_is: str | None
    failure: str | None


class LatencyTable(msgspec.Struct, frozen=True, kw_only=True):
    """One device and one workload. `differs` is what the rows do not have in common, `missing` models without a row."""

    device: str
    device_name: str
    workload: str
    prompt_tokens: int
    output_tokens: int
    text_sha256: str | None
    lines: list[LatencyLine]
    varying: list[str]
    differs: list[str]
    missing: list[str]


def latency_tables(models: Sequence[ModelRows]) -> list[LatencyTable]:
    """Rows asked the same on one device together, in the order in which they come."""
    grouped: dict[tuple[str, Workload], list[tuple[str, Member]]] = {}
    for model in models:
        for member in model.members:
            grouped.setdefault((member.machine, member.workload), []).append((model.name, member))
    return [_table(rows, [model.name for model in models]) for rows in grouped.values()]


def _table(rows: Sequence[tuple[str, Member]], models: Sequence[str]) -> LatencyTable:
    first = rows[0][1]
    asked = first.workload
    present = {name for name, _ in rows}
    return LatencyTable(
        device=first.row.device,
        device_name=first.machine,
        workload=first.row.workload,
        prompt_tokens=asked.prompt_tokens,
        output_tokens=asked.output_tokens,
        text_sha256=asked.text_sha256,
        lines=[_line(name, member) for name, member in rows],
        varying=_varying([member for _, member in rows]),
        differs=_differs([member for _, member in rows]),
        missing=[name for name in models if name not in present],
    )


def _line(model: str, member: Member) -> LatencyLine:
    row, memory = member.row, memory_of(member.row)
    context = row.conditions.get("context")
    return LatencyLine(
        model=model,
        source=member.source.name,
        row=row.id,
        build=row.build,
        quantization=row.quantization,
        engine=row.engine,
        target=row.target,
        settings=row.settings,
        context=context if isinstance(context, int) else None,
        basis=row.basis,
        metrics={name: row.metrics[name] for name in SHOWN if name in row.metrics},
        memory=memory[1] if memory else None,
        memory_is=memory[0] if memory else None,
        failure=_failure(member),
    )


def _failure(member: Member) -> str | None:
    row = member.row
    if row.failure is not None:
        return failed_as(row.failure)
    return None if row.metrics else NOT_YET


def _varying(members: Sequence[Member]) -> list[str]:
    """The settings that rows of one engine do not have in common."""
    found: dict[str, None] = {}
    for engine in dict.fromkeys(member.row.engine for member in members):
        mine = [member.row.settings for member in members if member.row.engine == engine]
        names = dict.fromkeys(name for settings in mine for name in settings)
        found |= dict.fromkeys(
            name for name in names if len({repr(settings.get(name)) for settings in mine}) > 1
        )
    return list(found)


def _differs(members: Sequence[Member]) -> list[str]:
    """What makes rows of one table less than comparable, in sentences."""
    sources = list({id(member.source): member.source for member in members}.values())
    made = [member.row.conditions.get("context") for member in members]
    contexts = sorted({context for context in made if isinstance(context, int)})
    bases = sorted({member.row.basis for member in members})
    found = []
    if len(sources) > 1:
        names = ", ".join(source.name for source in sources)
        found.append(
            f"the rows are of {len(sources)} runs ({names}): what the machine did between them is in the figures, so "
            "small differences across files say nothing"
        )
    if len(contexts) > 1:
        told = ", ".join(map(str, contexts))
        found.append(f"contexts of different length were made ({told} tokens), which take different memory")
    if len(bases) > 1:
        found.append(f"figures have different bases: {', '.join(bases)}")
    between = [line for one, other in combinations(sources, 2) for line in _between(one, other)]
    more = len(between) - MOST_DIFFERENCES
    return [*found, *between[:MOST_DIFFERENCES], *([f"{more} more differences"] if more > 0 else [])]


def _between(one: Source, other: Source) -> Iterator[str]:
    """What two runs say of themselves that is not the same: surroundings, profiler, engines."""
    before, after = _surroundings(one), _surroundings(other)
    for line in changes(before, after, absent="not known"):
        yield f"{one.name} and {other.name} differ in {line}"


def _surroundings(source: Source) -> dict[str, int | str | None]:
    environment, found = source.report.environment, {"edgeprof": _short(source.report.edgeprof)}
    found |= {label: _short(environment.get(name)) for name, label in ENVIRONMENT.items()}
    for engine, told in source.report.engines.items():
        found |= {f"{name} of {engine}": _short(version) for name, version in told.items()}
    return dict(found)


def _short(value: object) -> str | None:
    """A text or a number that a run says of itself, of whatever type and length, as one short text."""
    if isinstance(value, list | tuple):
        value = ", ".join(said.texts({"": value}, "")) or None
    return str(value)[:LONGEST] if isinstance(value, str | int | float) else None
