"""From what the user asked for to cases: builds x workloads x every combination of settings."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

import msgspec

from profiler.engines.table import ENGINES, Setting, Value, default_engine
from profiler.errors import UserError, nearest
from profiler.runfile import MOST_CASES, Build, Case, Route, Settings, Workload

CORES = "cores"
"""The setting that says which cores a worker is bound to; it is there where any were named."""

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


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a build may run: an engine, a target, and the route there if it is not the CPU."""

    engine: str
    target: str = "cpu"
    route: Route | None = None


EngineFor = Callable[[str], str]
"""The engine of a format of builds where the user names none."""

Places = Callable[[Build, Sequence[str]], Sequence[Place]]
"""The places for a build, with the engines that were asked for."""


def on_the_cpu(build: Build, engines: Sequence[str], engine_for: EngineFor = default_engine) -> list[Place]:
    """The CPU, with each engine of these that reads the build; without any, with the one of its format."""
    return [Place(engine=engine) for engine in engines_for(build, engines, engine_for)]


def cases(
    builds: Sequence[Build],
    workloads: Sequence[Workload],
    engines: Sequence[str],
    wanted: Mapping[str, Sequence[str]],
    threads: int,
    places: Places = on_the_cpu,
    pinned: Mapping[str, int] = MappingProxyType({}),
) -> list[Case]:
    """One case for every build, place that it may run in, workload and combination of settings.

    `wanted` maps a setting to the values the user listed; `threads` is the default of that setting. `pinned` are the
    words for cores that workers are bound to, each with its number of cores, which is the default there.
    """
    _refuse_unknown(builds, engines, wanted)
    found = []
    for build, workload in itertools.product(builds, workloads):
        for place in places(build, engines):
            _refuse_method(place.engine, workload)
            for settings in _pinned(place.engine, {**wanted, **_there(place, wanted)}, threads, pinned):
                _refuse_short_context(workload, settings)
                found.append((build, workload, place, settings))
    refuse_too_many(len(found))
    return [_case(number, *parts) for number, parts in enumerate(found, start=1)]


def _pinned(
    engine: str, wanted: Mapping[str, Sequence[str]], threads: int, pinned: Mapping[str, int]
) -> list[Settings]:
    """Every combination, on each of the cores that were named."""
    if not pinned:
        return combinations(engine, wanted, threads)
    return [
        {**settings, CORES: word}
        for word, number in pinned.items()
        for settings in combinations(engine, wanted, number)
    ]


def _there(place: Place, wanted: Mapping[str, Sequence[str]]) -> Mapping[str, Sequence[str]]:
    """On a device all layers lie there, unless the user said how many."""
    is_asked = place.route is not None and "gpu_layers" in ENGINES[place.engine].settings
    return {"gpu_layers": ["-1"]} if is_asked and "gpu_layers" not in wanted else {}


def refuse_too_many(cases: int) -> None:
    """Raises `UserError` for more cases than one run may have."""
    if cases > MOST_CASES:
        raise UserError(f"this makes {cases} cases; at most {MOST_CASES} fit in one run: list fewer values")


def anchors(
    build: Build,
    workloads: Sequence[Workload],
    threads: int,
    first: int,
    engine_for: EngineFor = default_engine,
) -> list[Case]:
    """The cases of an anchor, numbered from `first` on: default engine and settings, once for each workload."""
    engine = engine_for(build.format)
    (settings,) = combinations(engine, {}, threads)
    return [
        _case(number, build, workload, Place(engine=engine), settings)
        for number, workload in enumerate(workloads, start=first)
    ]


def _refuse_method(engine: str, workload: Workload) -> None:
    if workload.method not in ENGINES[engine].methods:
        raise UserError(
            f"engine {engine} generates whole texts only and cannot do {workload.id}: "
            "use a workload of text, such as chat, or another engine"
        )


def _refuse_short_context(workload: Workload, settings: Settings) -> None:
    context = settings.get("context")
    needed = workload.prompt_tokens + workload.output_tokens + workload.depth
    if isinstance(context, int) and context < needed:
        raise UserError(
            f"context {context} is too short for {workload.id}, which takes {needed} tokens: use more"
        )


def _case(number: int, build: Build, workload: Workload, place: Place, settings: Settings) -> Case:
    return Case(
        id=f"r{number}",
        build=build.id,
        engine=place.engine,
        target=place.target,
        settings=settings,
        workload=workload,
        route=place.route,
    )


def engines_for(build: Build, engines: Sequence[str], engine_for: EngineFor = default_engine) -> list[str]:
    """The engines to use for a build: those asked for that read it, or the default one of its format."""
    for name in engines:
        if name not in ENGINES:
            raise UserError(f"there is no engine {name!r}: {nearest(name, ENGINES)}")
    fitting = [name for name in engines if build.format in ENGINES[name].formats]
    if engines and not fitting:
        readers = [name for name, entry in ENGINES.items() if build.format in entry.formats]
        raise UserError(
            f"{_verb(engines)} not read {build.name}, which is {build.format}: use --engine {' or '.join(readers)}"
        )
    return fitting or [engine_for(build.format)]


def _verb(engines: Sequence[str]) -> str:
    return f"engine {engines[0]} does" if len(engines) == 1 else f"engines {', '.join(engines)} do"


def combinations(engine: str, wanted: Mapping[str, Sequence[str]], threads: int) -> list[Settings]:
    """Every combination of the values wanted, over the engine's defaults."""
    entry = ENGINES[engine]
    lists = [_values(engine, name, setting, wanted.get(name)) for name, setting in entry.settings.items()]
    found = [dict(zip(entry.settings, values, strict=True)) for values in itertools.product(*lists)]
    for settings in found:
        if settings["threads"] is None:
            settings["threads"] = threads
    return found


def _refuse_unknown(builds: Sequence[Build], engines: Sequence[str], wanted: Iterable[str]) -> None:
    """Every engine must be used for some build, and every setting known to an engine that is used."""
    used = list(dict.fromkeys(engine for build in builds for engine in engines_for(build, engines)))
    for engine in engines:
        if engine not in used:
            raise UserError(
                f"engine {engine} reads none of these builds: it reads {' and '.join(ENGINES[engine].formats)}"
            )
    known = {name for engine in used for name in ENGINES[engine].settings}
    for name in wanted:
        if name not in known:
            has = f"engine {used[0]} has" if len(used) == 1 else f"engines {', '.join(used)} have"
            raise UserError(f"{has} no setting {name!r}: {nearest(name, known)}")


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
