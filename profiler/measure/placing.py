"""Where the builds of a run are to be measured: on each target that was asked for, by the engines that reach it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache, partial

from profiler.catalogue.devices import DeviceProfile
from profiler.errors import UserError
from profiler.measure.asking import THIS_MACHINE, Asking
from profiler.measure.reaching import reached
from profiler.measure.targets import CPU, DEVICE, check, chosen, with_options
from profiler.measure.variants import Place, Places, on_the_cpu
from profiler.runfile import Build


def places_on(
    profile: DeviceProfile,
    targets: Sequence[str],
    typed: Mapping[str, str],
    asking: Asking = THIS_MACHINE,
) -> Places:
    """A function that gives the places of a build. `typed` are options of a provider; each engine is asked once.

    Raises `UserError` for words that are no targets of this device, and for options without a provider to take them.
    """
    for target in targets:
        check(target, profile)
    if typed and set(targets) == {CPU}:
        raise UserError(
            f"--provider-option {next(iter(typed))} has no provider to go to: use --target npu or gpu"
        )
    rest = {name: word for name, word in typed.items() if name != DEVICE}
    ask = lru_cache(maxsize=None)(partial(reached, asking=asking))

    def places(build: Build, engines: Sequence[str]) -> list[Place]:
        found: list[Place] = []
        for target in targets:
            if target == CPU:
                found += on_the_cpu(build, engines, asking.engine_for)
                continue
            device = typed.get(DEVICE)
            for engine, route in chosen(target, engines, build.format, profile, ask, device, asking):
                found.append(Place(engine=engine, target=target, route=with_options(route, rest)))
        return found

    return places
