"""What is not the same between two runs: machine, system, engine and plan, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from profiler.analyse import said
from profiler.analyse.board import MODES, pairs
from profiler.analyse.comparison import changes, made_of, settings_of
from profiler.analyse.study import Study
from profiler.runfile import Case

MOST_DIFFERENCES = 40
LONGEST = 120
"""What a run says of itself may be of any length; this many of its characters tell two apart."""

KERNELS_SHARE = 0.05
"""Of the memory one kernel keeps more for itself than another one: so much does not make another machine."""

ENVIRONMENT = {
    "cpus_total": "CPUs",
    "cpus_allowed": "CPUs allowed",
    "memory_total_bytes": "memory",
    "governors": "governor",
    "mhz_limit": "clock limit in MHz",
    "mhz_max": "highest clock in MHz",
    "turbo": "turbo",
    "smt_active": "SMT",
    "hypervisor": "hypervisor",
    "container": "container",
    "cgroup_cpus": "quota of CPUs",
    "cgroup_memory_bytes": "limit of memory",
    "power_source": "power source",
    "os_name": "system",
    "kernel_release": "kernel",
    "architecture": "architecture",
    "libc": "C library",
    "python_version": "Python",
    "clocksource": "clock source",
    "page_size_bytes": "page size",
    "transparent_huge_pages": "transparent huge pages",
    "huge_pages_total": "huge pages",
    "swap_total_bytes": "swap",
    "zram_bytes": "zram",
}
"""What of a machine's surroundings moves numbers and stays the same during a run; no readings of the moment."""


def differences(base: tuple[Study, Case], candidate: tuple[Study, Case]) -> list[str]:
    """Everything that is not the same between a row of one run and a row of another.

    What a run says of itself was written by others: it is taken in the type that is expected, and shortened.
    """
    (ours, case), (theirs, other) = base, candidate
    found = [
        *changes(_build(ours, case), _build(theirs, other), absent="not known"),
        *_content(base, candidate),
        *changes(*settings_of(case, other), absent="auto"),
        *changes(_plan(ours), _plan(theirs)),
        *changes(_machine(ours) | _modes(base), _machine(theirs) | _modes(candidate), absent="not known"),
        *_sensors(base, candidate),
        *changes(_software(ours, case), _software(theirs, other), absent="not known"),
        *changes(_worker_environment(ours), _worker_environment(theirs), absent="not set"),
        *(_engine(base, candidate) if case.engine == other.engine else []),
    ]
    more = len(found) - MOST_DIFFERENCES
    return [*found[:MOST_DIFFERENCES], *([f"{more} more differences"] if more > 0 else [])]


def same_device(base: Study, candidate: Study) -> bool:
    """Whether two runs were made on machines of one kind, as far as they tell."""
    return _device(base) == _device(candidate) and same_memory(_memory(base), _memory(candidate))


def _device(study: Study) -> tuple[object, ...]:
    device = study.run.header.device
    return device.id, device.cpu, _machine(study).get("CPUs")


def _memory(study: Study) -> float | None:
    return said.number(study.run.header.environment, "memory_total_bytes")


def same_memory(one: float | None, other: float | None) -> bool:
    """Whether two sizes are of one machine, whose kernel may keep more or less of it for itself."""
    if one is None or other is None:
        return one is other
    return abs(one - other) <= KERNELS_SHARE * max(one, other)


def _build(study: Study, case: Case) -> dict[str, int | str | None]:
    """What a row is made of, its build by the name of its file."""
    return made_of(case, study.builds) | {"build": study.builds[case.build].name}


def _content(base: tuple[Study, Case], candidate: tuple[Study, Case]) -> list[str]:
    """Two builds of one name may be two files: told by their hashes, or by size where one was not hashed."""
    (ours, case), (theirs, other) = base, candidate
    before, after = ours.builds[case.build], theirs.builds[other.build]
    if before.name != after.name:
        return []
    hashes = [ours.run.sha256.get(before.id), theirs.run.sha256.get(after.id)]
    if None not in hashes:
        shown = [f"sha256 {str(sha256)[:12]}" for sha256 in hashes]
        return [f"build content: {shown[0]} -> {shown[1]}"] if hashes[0] != hashes[1] else []
    return changes({"build size": before.size_bytes}, {"build size": after.size_bytes})


def _plan(study: Study) -> dict[str, int | str | None]:
    plan = study.plan
    limit = plan.memory_limit_bytes
    return {
        "passes": plan.passes,
        "cold starts": plan.cold,
        "sustained for": f"{plan.sustained_s:g} s",
        "wait for quiet": f"{plan.settle_s:g} s",
        "limit of each process": None if limit is None else f"{limit / 2**20:.0f} MiB",
    }


def _machine(study: Study) -> dict[str, int | str | None]:
    device, environment = study.run.header.device, study.run.header.environment
    return {
        "device": device.id,
        "board": device.board,
        "CPU": device.cpu or said.text(environment, "cpu_model"),
        **{label: _entry(environment, name) for name, label in ENVIRONMENT.items()},
    }


def _modes(row: tuple[Study, Case]) -> dict[str, int | str | None]:
    """What the board was set to while the workers of a row ran, which is nearer to them than the start of the run."""
    study, case = row
    found: dict[str, int | str | None] = {"power mode": None}
    for topic, label in MODES.items():
        told = [side for pair in pairs(study.workers[case.id], topic) for side in pair]
        words = dict.fromkeys(_short(str(value)) for side in told for value in side.values())
        found |= {label: "/".join(list(words)[:8])} if words else {}
    return found


def _sensors(base: tuple[Study, Case], candidate: tuple[Study, Case]) -> list[str]:
    """What the energy of both rows was read from; not told where one of them was not metered."""
    names = [sensor_of(study, case) for study, case in (base, candidate)]
    return [] if None in names else changes({"energy by": names[0]}, {"energy by": names[1]})


def sensor_of(study: Study, case: Case) -> str | None:
    """Source and scope of what speaks for the energy of this row."""
    metered = study.energy[case.id]
    return _short(metered.group.name) if metered else None


def _software(study: Study, case: Case) -> dict[str, int | str | None]:
    header = study.run.header
    compilers = said.part(header.environment, "compilers")
    return {
        "edgeprof": header.edgeprof,
        f"compiler of {case.engine}": _entry(compilers, case.engine),
    }


def _worker_environment(study: Study) -> dict[str, int | str | None]:
    return {
        f"{_short(name)} of the workers": _short(value)
        for name, value in study.run.header.worker_environment.items()
    }


def _engine(base: tuple[Study, Case], candidate: tuple[Study, Case]) -> Iterator[str]:
    """Versions of one engine and how its library was built, as its workers told."""
    ours, theirs = _facts(*base), _facts(*candidate)
    yield from changes(_versions(ours), _versions(theirs), absent="not known")
    before, after = said.text(ours, "system"), said.text(theirs, "system")
    if before != after:
        yield f"build of the engine's library: {_features(before, after)} -> {_features(after, before)}"


def _facts(study: Study, case: Case) -> said.Said:
    return next((worker.facts for worker in study.workers[case.id] if worker.facts is not None), {})


def _versions(facts: said.Said) -> dict[str, int | str | None]:
    versions = said.part(facts, "versions")
    return {_short(name): _entry(versions, name) for name in versions}


def _features(told: str | None, other: str | None) -> str:
    """What one library says of itself and the other does not: the whole is a list of dozens of features."""
    if told is None:
        return "not known"
    shared = set(map(str.strip, (other or "").split("|")))
    own = [feature for feature in map(str.strip, told.split("|")) if feature and feature not in shared]
    return _short(", ".join(own)) or "without"


def _entry(found: Mapping[str, object], name: str) -> str | None:
    """A text, a number, a flag or a list of them, as words; None for anything else."""
    value = found.get(name)
    if isinstance(value, bool):
        return "on" if value else "off"
    number = said.number(found, name)
    if number is not None:
        return f"{number / 2**20:.0f} MiB" if name.endswith("_bytes") and number >= 2**20 else f"{number:g}"
    if isinstance(value, list | tuple):
        return (
            _short("/".join(str(item) for item in value[:8] if isinstance(item, str | int | float))) or None
        )
    told = said.text(found, name)
    return _short(told) if told else None


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
