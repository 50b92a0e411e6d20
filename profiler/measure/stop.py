"""When a run is over. Planned before it starts, so that looking at the figures cannot bend them."""

from __future__ import annotations

from profiler.runfile import Plan

FEWEST_ROUNDS = 3


def planned_rounds(plan: Plan) -> int:
    """The most rounds this run may take."""
    return plan.rounds if plan.rounds is not None else plan.checkpoints[-1]


def fewest_rounds(plan: Plan) -> int:
    """The rounds this run takes however long they last."""
    return min(FEWEST_ROUNDS, planned_rounds(plan))


def stop_reason(plan: Plan, rounds: int, elapsed_s: float, half_width: float | None) -> str | None:
    """Why the run is over after `rounds` whole rounds: "rounds", "within", "max_time", or None to go on.

    `half_width` is the widest half-width of the headline intervals as a share, None if there is one without
    an interval. Precision is looked at only at the checkpoints (noise study, sections 4 and 9).
    """
    if rounds >= planned_rounds(plan):
        return "rounds"
    at_checkpoint = plan.rounds is None and rounds in plan.checkpoints
    if at_checkpoint and half_width is not None and half_width <= plan.within:
        return "within"
    if elapsed_s >= plan.max_time_s and rounds >= fewest_rounds(plan):
        return "max_time"
    return None


def looks(plan: Plan) -> int:
    """How many times the intervals may be looked at: it sets the level of each look."""
    return 1 if plan.rounds is not None else len(plan.checkpoints)
