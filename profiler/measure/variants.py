"""From what the user asked for to cases: builds x workloads x every combination of settings."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence

from profiler.engines.table import ENGINES, EngineEntry, Setting, Value, default_engine
from profiler.errors import UserError, nearest
from profiler.runfile import MOST_CASES, Build, Case, Settings, Workload

_FLAGS = {
    "on": True,
    "true": True,
    "yes": True,
    "1": True,
    "off": False,
    "false": False,
    "no": False,
    "0": False,
}


def cases(
    builds: Sequence[Build],
    workloads: Sequence[Workload],
    engines: Sequence[str],
    wanted: Mapping[str, Sequence[str]],
    threads: int,
) -> list[Case]:
    """One case for every build, engine that reads it, workload and combination of settings.

    `wanted` maps a setting to the values the user listed; `threads` is the default of that setting.
    """
    found = []
    for build, workload in itertools.product(builds, workloads):
        for engine in engines_for(build, engines):
            for settings in combinations(engine, wanted, threads):
                _refuse_short_context(workload, settings)
                found.append((build, workload, engine, settings))
    if len(found) > MOST_CASES:
        raise UserError(
            f"this makes {len(found)} cases; at most {MOST_CASES} fit in one run: list fewer values"
        )
    return [_case(number, *parts) for number, parts in enumerate(found, start=1)]


def _refuse_short_context(workload: Workload, settings: Settings) -> None:
    context = settings.get("context")
    needed = workload.prompt_tokens + workload.output_tokens + workload.depth
    if isinstance(context, int) and context < needed:
        raise UserError(
            f"context {context} is too short for {workload.id}, which takes {needed} tokens: use more"
        )


def _case(number: int, build: Build, workload: Workload, engine: str, settings: Settings) -> Case:
    return Case(
        id=f"r{number}", build=build.id, engine=engine, target="cpu", settings=settings, workload=workload
    )


def engines_for(build: Build, engines: Sequence[str]) -> list[str]:
    """The engines to use for a build: those asked for, or the default one of its format."""
    for name in engines:
        if name not in ENGINES:
            raise UserError(f"there is no engine {name!r}: {nearest(name, ENGINES)}")
        if build.format not in ENGINES[name].formats:
            raise UserError(
                f"engine {name} does not read {build.name}, which is {build.format}: "
                f"use --engine {default_engine(build.format)}"
            )
    return list(engines) or [default_engine(build.format)]


def combinations(engine: str, wanted: Mapping[str, Sequence[str]], threads: int) -> list[Settings]:
    """Every combination of the values wanted, over the engine's defaults."""
    entry = ENGINES[engine]
    _refuse_unknown(engine, entry, wanted)
    lists = [_values(engine, name, setting, wanted.get(name)) for name, setting in entry.settings.items()]
    found = [dict(zip(entry.settings, values, strict=True)) for values in itertools.product(*lists)]
    for settings in found:
        if settings["threads"] is None:
            settings["threads"] = threads
    return found


def _refuse_unknown(engine: str, entry: EngineEntry, wanted: Iterable[str]) -> None:
    for name in wanted:
        if name not in entry.settings:
            raise UserError(f"engine {engine} has no setting {name!r}: {nearest(name, entry.settings)}")


def _values(engine: str, name: str, setting: Setting, words: Sequence[str] | None) -> list[Value]:
    if words is None:
        return [setting.default]
    values = [_value(engine, name, setting, word) for word in words]
    return list(dict.fromkeys(values))


def _value(engine: str, name: str, setting: Setting, word: str) -> Value:
    where = f"{name} {word!r} of engine {engine}"
    match setting.kind:
        case "int":
            return _integer(where, setting, word)
        case "flag":
            if word.lower() not in _FLAGS:
                raise UserError(f"{where}: on or off is accepted")
            return _FLAGS[word.lower()]
        case _:
            if word.lower() not in setting.accepted:
                raise UserError(f"{where}: {nearest(word, setting.accepted)}")
            return word.lower()


def _integer(where: str, setting: Setting, word: str) -> int:
    try:
        value = int(word)
    except ValueError:
        raise UserError(f"{where}: a whole number is accepted") from None
    least = 0 if setting.least is None else setting.least
    if not least <= value < 2**31:
        raise UserError(f"{where}: whole numbers from {least} on are accepted")
    return value
