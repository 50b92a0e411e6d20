"""How many passes a worker runs: three, or five where starting it is dear."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from profiler.measure.passes import MORE_PASSES, PASSES, passes_for
from profiler.runfile import Plan, Worker
from tests.run_builder import case, counters, failed, pp, run, text_pass, worker

ASKED = case("r1")


def plan(*, more: bool, passes: int = PASSES) -> Plan:
    cases = [ASKED, case("r2"), case("r3", workload=pp(512))]
    return replace(run(cases).header.plan, passes=passes, more_passes=more)


def seen(pass_ms: float, name: str = "r1", *, attempt: int = 0, round: int = 0) -> Worker:
    """A worker of 1,000 ms with three passes of this length."""
    passes = (text_pass(n, counters=counters(wall_ms=pass_ms)) for n in (1, 2, 3))
    return worker(name, round, *passes, attempt=attempt)


def test_the_first_round_runs_three() -> None:
    assert (PASSES, MORE_PASSES) == (3, 5)
    assert passes_for(plan(more=True), ASKED, 0, [seen(1)]) == 3


@pytest.mark.parametrize(("pass_ms", "passes"), [(300, 3), (170, 3), (160, 5), (1, 5)])
def test_five_from_then_on_where_the_start_costs_more_than_three_passes(pass_ms: float, passes: int) -> None:
    assert passes_for(plan(more=True), ASKED, 1, [seen(pass_ms)]) == passes


def test_cases_that_were_asked_the_same_run_the_same() -> None:
    """The start of r2 is dear, so r1 runs five as well; r3 was asked something else."""
    found = [seen(300), seen(1, "r2"), seen(300, "r3")]
    assert [passes_for(plan(more=True), c, 1, found) for c in plan(more=True).cases] == [5, 5, 3]


def test_only_the_first_visits_tell() -> None:
    later = [seen(1, attempt=1), seen(1, round=1), failed("r1", 0, "crashed", "so it was")]
    assert passes_for(plan(more=True), ASKED, 2, [seen(300), *later]) == 3
    assert passes_for(plan(more=True), ASKED, 2, later) == 3


def test_what_was_asked_for_is_done() -> None:
    assert passes_for(plan(more=False, passes=7), ASKED, 1, [seen(1)]) == 7
