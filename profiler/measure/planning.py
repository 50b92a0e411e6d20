"""From a request and its builds to a plan: cases, anchors, rounds, looks, time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec.structs import replace

from profiler.builds.identify import Found
from profiler.catalogue import workloads
from profiler.engines.table import ENGINES
from profiler.errors import UserError
from profiler.host.chosen_cores import threads_on
from profiler.measure.passes import MORE_PASSES
from profiler.measure.request import Request, Shaped
from profiler.measure.site import Site
from profiler.measure.variants import Places, anchors, cases, on_the_cpu, refuse_too_many
from profiler.runfile import (
    MOST_SECONDS,
    Build,
    Case,
    ExtrapolatedCase,
    Extrapolation,
    Plan,
    Truncated,
    Workload,
)

CHECKPOINTS = [8, 12, 20, 30]
"""Rounds at which a run may stop (docs/method.md, "When a run stops")."""

MAX_TIME_S, MAX_TIME_COMPARED_S = 300.0, 600.0
"""A true difference of 5% is found in 10 minutes by 94% to 96% of simulated runs of two cases on machines whose noise
allows it, in 5 minutes by 81% to 92% (docs/method.md)."""

MOST_STAMPS = 4_000_000
"""Of one worker: its line in the run file then stays within what is read back."""


def plan_of(request: Request, found: Sequence[Found], site: Site, places: Places = on_the_cpu) -> Plan:
    """The plan of a run of the builds found, the anchor last. Raises `UserError` for what is too much."""
    asked = [workloads.parse(word, request.prompt, request.output_tokens) for word in request.workloads]
    _check_stamps(asked, max(request.passes, MORE_PASSES) if request.more_passes else request.passes)
    builds = [item.build for item in found]
    own = _own(request, builds[: len(request.builds)], asked, site, places)
    tied = _tied(builds[len(request.builds) :], asked, site, first=len(own) + 1)
    refuse_too_many(len(own) + len(tied))
    if request.profile:
        refuse_unwatched(own)
    ids = {item.path: item.build.id for item in found}
    return Plan(
        builds=builds,
        cases=[*own, *tied],
        anchors=[case.id for case in tied],
        seed=request.seed,
        passes=request.passes,
        more_passes=request.more_passes,
        rounds=1 if request.sustained_s else request.rounds,
        within=request.within,
        until_decided=request.until_decided and request.rounds is None,
        max_time_s=_max_time_s(request, own),
        stall_s=request.stall_s,
        settle_s=request.settle_s,
        cold=request.cold,
        memory_limit_bytes=request.memory_limit_bytes,
        sustained_s=request.sustained_s,
        strict=request.strict,
        profile=request.profile,
        checkpoints=CHECKPOINTS,
        extrapolations=extrapolations(request.shaped, ids, own),
    )


def _own(
    request: Request, builds: Sequence[Build], asked: Sequence[Workload], site: Site, places: Places
) -> list[Case]:
    pinned = threads_on(request.cores, site.cpus)
    return cases(builds, asked, request.engines, request.settings, site.threads, places, pinned)


def _tied(builds: Sequence[Build], asked: Sequence[Workload], site: Site, first: int) -> list[Case]:
    """The cases of the anchor, where there is one."""
    engine_for = site.asking.engine_for
    return [case for build in builds for case in anchors(build, asked, site.threads, first, engine_for)]


def refuse_unwatched(own: Sequence[Case]) -> None:
    """Raises `UserError` for an engine that does not tell what its time goes to."""
    for engine in dict.fromkeys(case.engine for case in own):
        if not ENGINES[engine].watched:
            able = ", ".join(name for name, entry in ENGINES.items() if entry.watched)
            raise UserError(
                f"--profile: engine {engine} does not tell the time of each operation ({ENGINES[engine].unwatched}): "
                f"use {able}, or leave --profile away"
            )


def extrapolations(
    shaped: Sequence[Shaped], ids: Mapping[Path, str], own: Sequence[Case]
) -> list[Extrapolation]:
    """The models that are measured as shapes, with a row for each case of their first shape: x1, x2, ..."""
    found, rows = [], 0
    for model in shaped:
        shapes = [Truncated(build=ids[path], layers=layers) for path, layers in model.shapes.items()]
        cases = _extrapolated_cases(model, shapes, own, first=rows + 1)
        rows += len(cases)
        found.append(
            Extrapolation(
                full=model.full,
                model=model.model,
                mix=model.mix,
                layers=model.layers,
                layer_period=model.layer_period,
                leading_dense_layers=model.leading_dense_layers,
                experts=model.experts,
                shapes=shapes,
                cases=cases,
                assumed=model.assumed,
            )
        )
    return found


def _extrapolated_cases(
    model: Shaped, shapes: Sequence[Truncated], own: Sequence[Case], first: int
) -> list[ExtrapolatedCase]:
    of_shapes = [[case for case in own if case.build == shape.build] for shape in shapes]
    return [
        ExtrapolatedCase(
            case=replace(alike[0], id=f"x{number}", build=model.full.id), shapes=[case.id for case in alike]
        )
        for number, alike in enumerate(zip(*of_shapes, strict=True), start=first)
    ]


def _max_time_s(request: Request, own: Sequence[Case]) -> float:
    """What was asked for. Else no limit to a number of rounds that was, and more where cases are compared."""
    if request.max_time_s is not None:
        return request.max_time_s
    if request.rounds is not None:
        return MOST_SECONDS
    compared = len({case.workload.id for case in own}) < len(own)
    return MAX_TIME_COMPARED_S if compared else MAX_TIME_S


def _check_stamps(asked: Sequence[Workload], passes: int) -> None:
    for workload in asked:
        if workload.output_tokens * passes > MOST_STAMPS:
            raise UserError(
                f"{passes} passes of {workload.output_tokens} tokens are too much for one worker: "
                f"passes x tokens up to {MOST_STAMPS} are accepted"
            )
