"""From the word for a target to an engine's way there: profile, table of routes, and what is reached here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from profiler.catalogue.devices import DeviceProfile
from profiler.engines import accelerators
from profiler.engines.accelerators import EMULATED, OPTIONS
from profiler.engines.table import ENGINES
from profiler.errors import UserError, nearest
from profiler.measure.asking import THIS_MACHINE, Asking
from profiler.measure.events import ReachedDevice
from profiler.runfile import Route

CPU = "cpu"
DEVICE = "device"
"""The option that names one of several devices, whatever the provider."""

KINDS = ("npu", "gpu")
MOST_REASONS = 2
FIXED, MADE = "onnx-static", "edgeprof build onnx FILE.gguf --static"
"""The format of fixed lengths, and how a GGUF file becomes one."""


Ask = Callable[[str], tuple[ReachedDevice, ...] | str]
"""What an engine reaches, or why it cannot be asked."""


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """One line of all targets: an engine, the provider that leads there, and the route, or why there is none."""

    target: str
    engine: str
    provider: str
    route: Route | None
    reason: str | None = None


def words(profile: DeviceProfile) -> list[str]:
    """What names a target: the CPU, kinds of accelerators, and the names of those that the profile has."""
    return [CPU, *KINDS, *profile.accelerators]


def check(target: str, profile: DeviceProfile) -> None:
    """Raises `UserError` for a word that is no target of this device."""
    if target not in words(profile):
        raise UserError(f"device {profile.id} has no target {target!r}: {nearest(target, words(profile))}")
    kinds = {one.kind for one in profile.accelerators.values()}
    if target in KINDS and kinds and target not in kinds:
        raise UserError(
            f"device {profile.id} has no {target.upper()}: its profile names {', '.join(profile.accelerators)}; "
            f"use --target {' or '.join([CPU, *sorted(kinds)])}"
        )


def ways(
    target: str,
    profile: DeviceProfile,
    ask: Ask,
    device: str | None = None,
    asking: Asking = THIS_MACHINE,
) -> Iterator[Way]:
    """Every way to a target, the best supported engine first, and for each whether it leads there on that machine.

    With the name of a `device`, to that one of several.
    """
    for known in _known(target, profile, asking.platform):
        if known.engine not in ENGINES:
            continue
        answer = ask(known.engine)
        made = answer if isinstance(answer, str) else _made(known, target, profile, answer, device)
        route, reason = (None, made) if isinstance(made, str) else (made, None)
        yield Way(target=target, engine=known.engine, provider=known.provider, route=route, reason=reason)


def _known(target: str, profile: DeviceProfile, platform: str) -> list[accelerators.Route]:
    named = [name for name, one in profile.accelerators.items() if target in (name, one.kind)]
    if not named:
        return accelerators.routes_of_kind(target, platform)
    return [route for name in named for route in accelerators.routes(name)]


def _made(
    known: accelerators.Route,
    target: str,
    profile: DeviceProfile,
    devices: Sequence[ReachedDevice],
    device: str | None,
) -> Route | str:
    kind = profile.accelerators[target].kind if target in profile.accelerators else target
    of_provider = [one for one in devices if one.provider == known.provider]
    found = [one for one in of_provider if one.kind == kind]
    if not found:
        reason = next((one.reason or f"offers no {kind}" for one in of_provider), None)
        return (
            f"{known.provider} is installed, but {reason}"
            if reason
            else f"{known.provider} needs {_to_type(known)}"
        )
    first = next((one for one in found if device in (None, one.name)), None)
    if first is None:
        return f"{known.provider} sees {' and '.join(one.name or '?' for one in found)}, and no {device}"
    options = known.options | (EMULATED.get(known.provider, {}) if first.simulated else {})
    return Route(provider=known.provider, options=options, device=first.name, simulated=first.simulated)


def _to_type(known: accelerators.Route) -> str:
    """How what is missing is installed, where a line does it."""
    switch = re.search(r"-DGGML_\w+=ON", known.needs)
    if switch:
        return f"CMAKE_ARGS={switch[0]} pip install --force-reinstall --no-cache-dir llama-cpp-python"
    is_package = re.fullmatch(r"onnxruntime[\w-]*", known.needs)
    return f"pip install {known.needs}" if is_package else known.needs


def with_options(route: Route, typed: Mapping[str, str]) -> Route:
    """The route with what was typed for its provider. Raises `UserError` for what the provider is not known to take."""
    known = OPTIONS.get(route.provider, {})
    for name, word in typed.items():
        if name not in known:
            takes = nearest(name, known) if known else "it takes none here"
            raise UserError(f"{route.provider} has no option {name!r}: {takes}")
        accepted = known[name]
        if accepted is not None and word not in accepted:
            raise UserError(f"option {name} of {route.provider} is {word!r}: {nearest(word, accepted)}")
    return msgspec.structs.replace(route, options=route.options | dict(typed))


def chosen(
    target: str,
    engines: Sequence[str],
    build_format: str,
    profile: DeviceProfile,
    ask: Ask,
    device: str | None = None,
    asking: Asking = THIS_MACHINE,
) -> list[tuple[str, Route]]:
    """The engines of these, or the first of all, that read the format and reach the target, with their routes.

    Raises `UserError` in which every way says what it lacks.
    """
    reasons: list[str] = []
    found: dict[str, Route] = {}
    others: list[Way] = []
    for way in ways(target, profile, ask, device, asking):
        fits = build_format in ENGINES[way.engine].formats and (not engines or way.engine in engines)
        if fits and way.route is not None:
            found.setdefault(way.engine, way.route)
        elif way.reason is not None and fits:
            reasons.append(way.reason)
        elif way.route is not None:
            others.append(way)
    if not found:
        ways_of_others = [_by_another(way, build_format) for way in others]
        told = _lacking(engines, build_format, [*ways_of_others, *reasons])
        where = asking.called(profile.id)
        raise UserError(f"target {target} is not reached with this build on {where}: {told} ({asking.lists})")
    return list(found.items()) if engines else list(found.items())[:1]


def _by_another(way: Way, build_format: str) -> str:
    """An engine that reaches the target, and reads other builds or was not asked for."""
    formats = ENGINES[way.engine].formats
    if build_format in formats:
        return f"engine {way.engine} reaches it: --engine {way.engine}"
    made = f": {MADE}" if build_format == "gguf" and FIXED in formats else ""
    return f"engine {way.engine} reaches it, and reads {', '.join(formats)}{made}"


def _some(reasons: list[str]) -> str:
    """Those of what is installed, or else the first."""
    nearest_first = sorted(reasons, key=lambda reason: ("reaches it" not in reason, " needs " in reason))
    more = len(reasons) - MOST_REASONS
    return ", ".join(nearest_first[:MOST_REASONS]) + (
        f", and {more} other way{'s' * (more > 1)}" if more > 0 else ""
    )


def _lacking(engines: Sequence[str], build_format: str, reasons: Sequence[str]) -> str:
    asked = f"engine of {', '.join(engines)}" if engines else "engine"
    return _some(list(dict.fromkeys(reasons))) or f"no {asked} that reads {build_format} is known to reach it"
