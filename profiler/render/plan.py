"""The plan of a run before it starts: cases, memory, duration."""

from __future__ import annotations

from collections.abc import Mapping

from profiler.render import format as fmt
from profiler.render.columns import describe
from profiler.runfile import Case, Failure, Plan


def lines(
    plan: Plan,
    needed: Mapping[str, int | None],
    refusals: Mapping[str, Failure],
    available: int | None,
    expected_s: tuple[float, float],
) -> list[str]:
    """The plan as a few lines of text."""
    shortest, longest = (fmt.duration(seconds) for seconds in expected_s)
    takes = longest if shortest == longest else f"{shortest} to {longest}"
    found = [f"{_amount(plan)}; roughly {takes}"]
    for case in plan.cases:
        need = needed.get(case.id)
        size = f"needs about {fmt.size(need)}" if need else "memory not known"
        verdict = f"; not run: {fmt.plain(refusals[case.id].message)}" if case.id in refusals else ""
        found.append(f"  {case.id}  {_name(case)}; {size}{verdict}")
    if available is not None:
        found.append(f"  {fmt.size(available)} of memory are free")
    return found


def _amount(plan: Plan) -> str:
    count = len(plan.cases)
    rounds = f"{plan.rounds}" if plan.rounds else f"3 to {plan.checkpoints[-1]}"
    cases = "1 case" if count == 1 else f"{count} cases, interleaved"
    return f"{cases}, {rounds} rounds, {plan.passes} passes in each fresh process"


def _name(case: Case) -> str:
    changed = ", ".join(f"{name} {fmt.setting(value)}" for name, value in case.settings.items() if value)
    return f"{fmt.plain(case.build)}, {case.engine}, {describe(case.workload)} ({changed})"
