"""From a request to everything a run needs before its first worker: plan, paths, header, refusals."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from profiler import __version__
from profiler.builds.identify import identify
from profiler.catalogue.devices import DeviceProfile
from profiler.errors import UserError
from profiler.measure.asking import THIS_MACHINE, Asking
from profiler.measure.ceilings import ceilings
from profiler.measure.full_size import with_full_sizes
from profiler.measure.gate import Need, needs, refusal
from profiler.measure.launch import now
from profiler.measure.machine import Machine
from profiler.measure.memory_limit import Way
from profiler.measure.metering import speaking
from profiler.measure.placing import places_on
from profiler.measure.planning import plan_of
from profiler.measure.proving import Tell, proofs, refused
from profiler.measure.request import Request, check
from profiler.measure.site import Site, here
from profiler.measure.ways_to_limit import way_to_limit
from profiler.measure.worker_environment import recorded
from profiler.runfile import SCHEMA, Device, Failure, Header, Plan, is_simulated
from profiler.telemetry.protocol import Meter
from profiler.telemetry.reading import found_meters


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """A run that could start now. `way` is how its workers get their limit of memory, if they have one.

    `compiled` is the folder for what the compilers of devices make of its builds, `machine` the board it runs on,
    `asking` who knows of its engines.
    """

    header: Header
    paths: dict[str, Path]
    needs: dict[str, Need]
    refusals: dict[str, Failure]
    available_bytes: int | None
    way: Way | None
    meters: Sequence[Meter] = ()
    external_meter: bool = False
    compiled: Path | None = None
    machine: Machine | None = None
    asking: Asking = THIS_MACHINE


def with_meters(prepared: Prepared, *, external: bool) -> Prepared:
    """The run with the meters of this machine, which its header names; `external` if one keeps a log of its own."""
    found, reasons = found_meters()
    meters = speaking(found)
    sources = {meter.sensor.source for meter in meters}
    reasons |= {m.sensor.source: "tells parts only" for m in found if m.sensor.source not in sources}
    sensors = [meter.sensor for meter in meters]
    header = msgspec.structs.replace(prepared.header, sensors=sensors, no_sensor=reasons)
    return msgspec.structs.replace(prepared, header=header, meters=meters, external_meter=external)


def with_known_meters(prepared: Prepared, *, external: bool) -> Prepared:
    """A run that goes on, with those of this machine's meters that its header names.

    Sources that it does not name are closed; the meters of one source may share what they are read with.
    """
    found, _ = found_meters()
    known = [meter for meter in found if meter.sensor in prepared.header.sensors]
    named = {meter.sensor.source for meter in known}
    for meter in found:
        if meter.sensor.source not in named:
            meter.close()
    return msgspec.structs.replace(prepared, meters=known, external_meter=external)


def proven(prepared: Prepared, compiled: Path, tell: Tell) -> Prepared:
    """The run with a proof of each case whose target is not the CPU, and those refused whose proof failed."""
    found = proofs(prepared.header.plan, prepared.paths, compiled, tell, prepared.asking)
    failures = {proof.case: failure for proof in found if (failure := refused(proof)) is not None}
    return msgspec.structs.replace(
        prepared,
        header=msgspec.structs.replace(prepared.header, proofs=found),
        refusals=failures | prepared.refusals,
        compiled=compiled,
    )


def prepare(request: Request, site: Site | None = None) -> Prepared:
    """Check everything that can be checked before measuring, here or on another site. Raises `UserError`."""
    check(request)
    site = site or here(request.device)
    found = identify(request.named)
    places = places_on(site.profile, request.targets, request.provider_options, site.asking)
    plan = with_full_sizes(plan_of(request, found, site, places), request.shaped)
    _refuse_imitated_shapes(plan)
    header = _header(plan, site)
    paths = {item.build.id: item.path for item in found}
    return with_needs(header, paths, site.available_bytes, force=request.force, asking=site.asking)


def _refuse_imitated_shapes(plan: Plan) -> None:
    imitated = next((case.route for case in plan.cases if is_simulated(case)), None)
    if plan.extrapolations and imitated is not None:
        raise UserError(
            f"--as-shape measures speed, and {imitated.simulated} is no device to measure: use --target cpu"
        )


def with_needs(
    header: Header,
    paths: dict[str, Path],
    available: int | None,
    *,
    force: bool,
    asking: Asking = THIS_MACHINE,
) -> Prepared:
    """The run with what each case takes, and which cases do not fit into so many bytes of memory.

    What takes more than the plan's limit of memory is tried: the limit is there to see what happens.
    """
    limit = header.plan.memory_limit_bytes
    way = way_to_limit(limit) if limit is not None else None
    found = needs(header.plan, paths, asking)
    return Prepared(
        header=header,
        paths=paths,
        needs=found,
        refusals=_refusals(header.plan, found, available, force=force),
        available_bytes=available,
        way=way,
        asking=asking,
    )


def _refusals(
    plan: Plan, found: Mapping[str, Need], available: int | None, *, force: bool
) -> dict[str, Failure]:
    builds = {build.id: build for build in plan.builds}
    limit = 2**63 if available is None else available
    checked = {
        c.id: refusal(found[c.id], limit, builds[c.build], force=force, strict=plan.strict)
        for c in plan.cases
    }
    return {case_id: failure for case_id, failure in checked.items() if failure is not None}


def _header(plan: Plan, site: Site) -> Header:
    return Header(
        type="header",
        schema=SCHEMA,
        run_id=secrets.token_hex(8),
        edgeprof=__version__,
        started=now(),
        plan=plan,
        device=msgspec.structs.replace(
            device_of(site.profile, site.environment.get("cpu_model")), board=site.board
        ),
        environment=site.environment,
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
        ceilings=ceilings(profile),
    )
