"""When a run is over. Planned before it starts, so that looking at the figures cannot bend them."""

from __future__ import annotations

from profiler.runfile import Plan, own_cases

FEWEST_ROUNDS = 3


def planned_rounds(plan: Plan) -> int:
    """The most rounds this run may take."""
    return plan.rounds if plan.rounds is not None else plan.checkpoints[-1]


def fewest_rounds(plan: Plan) -> int:
    """The rounds this run takes however long they last."""
    return min(FEWEST_ROUNDS, planned_rounds(plan))


def compares(plan: Plan) -> bool:
    """Whether two cases, anchors and shapes apart, are asked the same."""
    asked = [case.workload.id for case in own_cases(plan)]
    return len(set(asked)) < len(asked)


def is_look(plan: Plan, rounds: int) -> bool:
    """Whether the figures may be looked at after so many whole rounds, to stop there."""
    return plan.rounds is None and rounds in plan.checkpoints


def next_look(plan: Plan, rounds: int) -> int:
    """The number of rounds at which a run that has made `rounds` is looked at next."""
    later = [look for look in plan.checkpoints if look > rounds] if plan.rounds is None else []
    return later[0] if later else planned_rounds(plan)


def stop_reason(
    plan: Plan, rounds: int, elapsed_s: float, *, half_width: float | None, decided: bool | None
) -> str | None:
    """Why the run is over after `rounds` whole rounds, or None to go on.

    "decided": every comparison has its verdict; `decided` is None where nothing is compared or precision was asked for.
    "within": in that case, the widest half-width of the headline intervals, as a share, is what was asked; it is None
    if one has no interval. Both count at the looks only (docs/method.md, "When a run stops"). "rounds" and "max_time":
    all that were planned have been used.
    """
    if is_look(plan, rounds):
        if decided:
            return "decided"
        if decided is None and half_width is not None and half_width <= plan.within:
            return "within"
    if rounds >= planned_rounds(plan):
        return "rounds"
    if elapsed_s >= plan.max_time_s and rounds >= fewest_rounds(plan):
        return "max_time"
    return None
