"""From a request to everything a run needs before its first worker: plan, paths, header, refusals."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from profiler import __version__
from profiler.builds.identify import Found, identify
from profiler.catalogue import workloads
from profiler.catalogue.devices import THIS, DeviceProfile, load_device
from profiler.engines.table import ENGINES
from profiler.errors import UserError, nearest
from profiler.host.environment import environment
from profiler.host.machine import available_memory, default_threads, this_machine
from profiler.measure.gate import Need, needs, refusal
from profiler.measure.launch import now
from profiler.measure.passes import MORE_PASSES
from profiler.measure.sustaining import LONGEST_S, SHORTEST_S
from profiler.measure.variants import anchors, cases, refuse_too_many
from profiler.measure.worker_environment import recorded
from profiler.runfile import (
    MOST_PASSES,
    MOST_ROUNDS,
    MOST_SECONDS,
    SCHEMA,
    Build,
    Case,
    Device,
    Failure,
    Header,
    Plan,
    Workload,
)

TARGETS = ("cpu",)
CHECKPOINTS = [8, 12, 20, 30]
"""Rounds at which a run may stop for precision (noise study, sections 4 and 9)."""

MAX_TIME_S, MAX_TIME_COMPARED_S = 300.0, 600.0
"""A true difference of 5% is found in 10 minutes by 94% to 96% of simulated runs of two cases on machines whose noise
allows it, in 5 minutes by 81% to 92% (docs/method.md)."""

MOST_SEED = 2**63 - 1
MOST_STAMPS = 4_000_000
"""Of one worker: its line in the run file then stays within what is read back."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What the user asked for, decoded but not yet checked against builds and engines."""

    builds: list[str]
    workloads: list[str]
    prompt: int | None
    output_tokens: int | None
    engines: list[str]
    settings: dict[str, list[str]]
    device: str
    target: str
    within: float
    until_decided: bool
    max_time_s: float | None
    rounds: int | None
    passes: int
    more_passes: bool
    seed: int
    stall_s: float
    settle_s: float
    cold: bool
    sustained_s: float
    force: bool
    anchor: str | None = None

    @property
    def named(self) -> list[str]:
        """Every build that was named, the anchor last."""
        return [*self.builds, *([self.anchor] if self.anchor is not None else [])]


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """A run that could start now."""

    header: Header
    paths: dict[str, Path]
    needs: dict[str, Need]
    refusals: dict[str, Failure]
    available_bytes: int | None


def prepare(request: Request) -> Prepared:
    """Check everything that can be checked before measuring. Raises `UserError`."""
    _check(request)
    profile = this_machine() if request.device == THIS else load_device(request.device)
    found = identify(request.named)
    plan = _plan(request, found)
    header = _header(plan, profile)
    paths = {item.build.id: item.path for item in found}
    return with_needs(header, paths, force=request.force)


def with_needs(header: Header, paths: dict[str, Path], *, force: bool) -> Prepared:
    """The run with what each case takes, and which cases do not fit into this machine's memory."""
    found = needs(header.plan, paths)
    available = available_memory().available_bytes
    return Prepared(
        header=header,
        paths=paths,
        needs=found,
        refusals=_refusals(header.plan, found, available, force=force),
        available_bytes=available,
    )


def _refusals(
    plan: Plan, found: Mapping[str, Need], available: int | None, *, force: bool
) -> dict[str, Failure]:
    builds = {build.id: build for build in plan.builds}
    limit = 2**63 if available is None else available
    checked = {c.id: refusal(found[c.id], limit, builds[c.build], force=force) for c in plan.cases}
    return {case_id: failure for case_id, failure in checked.items() if failure is not None}


def _check(request: Request) -> None:
    if request.target not in TARGETS:
        raise UserError(
            f"there is no target {request.target!r} in this version: {nearest(request.target, TARGETS)}"
        )
    _between("--processes", request.rounds, MOST_ROUNDS)
    _between("--passes", request.passes, MOST_PASSES)
    _between("--seed", request.seed, MOST_SEED, least=0)
    if request.max_time_s == 0 or request.stall_s <= 0:
        raise UserError("--max-time and --stall must be longer than 0 s")
    if request.sustained_s:
        _check_sustained(request)


def _check_sustained(request: Request) -> None:
    if request.rounds is not None:
        raise UserError("--sustained runs one long process of each case: leave out --processes")
    if not SHORTEST_S <= request.sustained_s <= LONGEST_S:
        raise UserError(
            f"--sustained {request.sustained_s:g} s: {SHORTEST_S:g} s (more than the first minute, which the rest is "
            f"compared with) to {LONGEST_S / 3600:g} h are accepted"
        )


def _between(flag: str, value: int | None, most: int, least: int = 1) -> None:
    if value is not None and not least <= value <= most:
        raise UserError(f"{flag} {value}: numbers from {least} to {most} are accepted")


def _plan(request: Request, found: Sequence[Found]) -> Plan:
    asked = [workloads.parse(word, request.prompt, request.output_tokens) for word in request.workloads]
    _check_stamps(asked, max(request.passes, MORE_PASSES) if request.more_passes else request.passes)
    builds = [item.build for item in found]
    threads = default_threads()
    own = cases(builds[: len(request.builds)], asked, request.engines, request.settings, threads)
    tied = [
        case
        for build in builds[len(request.builds) :]
        for case in anchors(build, asked, threads, first=len(own) + 1)
    ]
    refuse_too_many(len(own) + len(tied))
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
        sustained_s=request.sustained_s,
        checkpoints=CHECKPOINTS,
    )


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


def _header(plan: Plan, profile: DeviceProfile) -> Header:
    surroundings: dict[str, Any] = msgspec.to_builtins(environment())
    return Header(
        type="header",
        schema=SCHEMA,
        run_id=secrets.token_hex(8),
        edgeprof=__version__,
        started=now(),
        plan=plan,
        device=device_of(profile, surroundings.get("cpu_model")),
        environment=surroundings,
        worker_environment=recorded(os.environ),
    )


def device_of(profile: DeviceProfile, cpu_model: str | None) -> Device:
    """What a run file keeps of a device profile."""
    memory = profile.memory
    bandwidth, throttles = memory.theoretical_bytes_per_s, profile.limits.throttle_celsius
    counts = [cluster.count.value for cluster in profile.cpu if cluster.count is not None]
    return Device(
        id=profile.id,
        name=profile.name,
        cpu=cpu_model,
        cores=sum(counts) or None,
        memory_bytes=memory.bytes.value if memory.bytes else None,
        memory_bandwidth_bytes_per_s=bandwidth.value if bandwidth else None,
        bandwidth_source=f"theoretical, {bandwidth.source}" if bandwidth else None,
        throttle_celsius=throttles.value if throttles else None,
    )


def matched(header: Header, found: Sequence[Found]) -> dict[str, Path]:
    """The paths of a resumed run's builds, matched by all that their headers say, and those alike in the order given.

    Raises `UserError` for a missing one. Their content is compared when the run has ended: hashing it before would
    warm the page cache.
    """
    given: dict[bytes, list[Path]] = {}
    for item in found:
        given.setdefault(_described(item.build), []).append(item.path)
    paths = {}
    for build in header.plan.builds:
        places = given.get(_described(build))
        if not places:
            anchor = any(c.build == build.id for c in header.plan.cases if c.id in header.plan.anchors)
            raise UserError(
                f"the run to resume measured {build.name} of {build.size_bytes} bytes, which is not among the "
                f"builds given: name the same files again{', its --anchor too' if anchor else ''}"
            )
        paths[build.id] = places.pop(0)
    for case in header.plan.cases:
        if case.engine not in ENGINES or not _as_it_was(case.workload):
            raise UserError(
                f"case {case.id} of the run to resume cannot be measured as it was by this version of edgeprof: "
                "start a new run"
            )
    return paths


def _described(build: Build) -> bytes:
    """What a build's header says; its id in a plan and the record of a check may change."""
    return msgspec.json.encode(replace(build, id="", agreement=None))


def _as_it_was(workload: Workload) -> bool:
    """Whether this version asks the same of a model under the same name."""
    if workload.method == "raw":
        return workloads.parse(workload.id) == workload
    return workloads.parse(workload.id, workload.prompt_tokens, workload.output_tokens) == workload
