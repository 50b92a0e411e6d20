"""The plan of a run before it starts: cases, memory, duration."""

from __future__ import annotations

from collections.abc import Mapping

from profiler.analyse.extrapolated import planned_bytes
from profiler.analyse.plural import plural
from profiler.render import format as fmt
from profiler.render.columns import describe
from profiler.runfile import (
    Case,
    ExtrapolatedCase,
    Extrapolation,
    Failure,
    Plan,
    is_simulated,
    shape_cases,
    varying,
)


def lines(
    plan: Plan,
    needed: Mapping[str, int | None],
    refusals: Mapping[str, Failure],
    available: int | None,
    expected_s: tuple[float, float],
    limited_by: str | None = None,
) -> list[str]:
    """The plan as a few lines of text. `limited_by` is what keeps its workers to their limit of memory."""
    free = f"; {fmt.size(available)} of memory are free" if available is not None else ""
    limit = plan.memory_limit_bytes
    limited = f"; each process {fmt.limited(limit, limited_by)}" if limit else ""
    limited += " (more than is free here)" if limit and available is not None and limit > available else ""
    limited += "; then a profile of each" if plan.profile else ""
    found = [f"{_amount(plan)}{limited}; roughly {_expected(expected_s)}{free}"]
    names = varying(plan.cases)
    workloads = {case.workload.id: case.workload for case in plan.cases}
    found += [f"  {describe(workload)}" for workload in workloads.values()]
    found += [line for whole in plan.extrapolations for line in _extrapolated(whole, names, len(workloads))]
    shapes = shape_cases(plan)
    for case in plan.cases:
        need = needed.get(case.id)
        size = f"needs about {fmt.size(need)}" if need else "memory not known"
        if limit and need:
            size += f", within its limit of {fmt.size(limit)}" if need <= limit else _beyond(limit)
        verdict = f"; not run: {fmt.plain(refusals[case.id].message)}" if case.id in refusals else ""
        mark = ", anchor" if case.id in plan.anchors else ", shape" if case.id in shapes else ""
        named = f"{_name(case, names, len(workloads))}{_place(case)}{mark}"
        found.append(f"  {case.id}  {named}; {size}{verdict or _untimed(case)}")
    return found


def _place(case: Case) -> str:
    """The target, where it is not the CPU, and who leads there."""
    return f", on {fmt.plain(case.target)} by {fmt.plain(case.route.provider)}" if case.route else ""


def _untimed(case: Case) -> str:
    """Of a case on an imitated device."""
    if case.route is None or case.route.simulated is None:
        return ""
    return f"; proven beside the CPU and not timed: {fmt.plain(case.route.simulated)}"


def _extrapolated(whole: Extrapolation, names: list[str], workloads: int) -> list[str]:
    """A line for each row of a model that is measured as shapes, and for each thing assumed of it."""
    rows = [
        f"  {found.case.id}  {_name(found.case, names, workloads)}: {whole.layers} layers, extrapolated from "
        f"{', '.join(map(fmt.plain, found.shapes))}; {_planned(found)}"
        for found in whole.cases
    ]
    return rows + [f"      assumed: {fmt.plain(sentence)}" for sentence in whole.assumed]


def _planned(found: ExtrapolatedCase) -> str:
    needed = planned_bytes(found)
    return "memory not known" if needed is None else f"would need about {fmt.size(needed)}"


def _beyond(limit: int) -> str:
    return f", more than its limit of {fmt.size(limit)}: tried, to see whether it runs from the disk or not at all"


def _amount(plan: Plan) -> str:
    cold = ", each started cold" if plan.cold else ""
    if plan.sustained_s:
        long = f"one process of {fmt.duration(plan.sustained_s)}"
        return f"{plural(len(plan.cases), 'case')}, {long}{' each' if len(plan.cases) > 1 else ''}{cold}"
    timed = [case for case in plan.cases if not is_simulated(case)]
    if not timed:
        return f"{plural(len(plan.cases), 'case')} on imitated devices, none timed"
    rounds = plural(plan.rounds, "round") if plan.rounds else f"3 to {plan.checkpoints[-1]} rounds"
    interleaved = ", interleaved" if len(plan.cases) > 1 else ""
    passes = plural(plan.passes, "pass")
    return f"{plural(len(plan.cases), 'case')}{interleaved}, {rounds}, {passes} in each fresh process{cold}"


def _expected(seconds: tuple[float, float]) -> str:
    shortest, longest = (fmt.duration(value) for value in seconds)
    return longest if shortest == longest else f"{shortest} to {longest}"


def _name(case: Case, names: list[str], workloads: int) -> str:
    settings = [f"{name} {fmt.setting(case.settings.get(name))}" for name in names]
    asked = [case.workload.id] if workloads > 1 else []
    return ", ".join([fmt.plain(case.build), *settings, *asked])
