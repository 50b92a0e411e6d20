"""How many passes a worker runs: three, or five where starting it is dear."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from profiler.measure.passes import MORE_PASSES, PASSES, passes_for
from profiler.runfile import Plan, Worker
from tests.run_builder import case, counters, failed, run, text_pass, worker

ASKED = case("r1")


def plan(*, more: bool, passes: int = PASSES) -> Plan:
    return replace(run([ASKED]).header.plan, passes=passes, more_passes=more)


def seen(pass_ms: float, name: str = "r1") -> Worker:
    """A worker of 1,000 ms with three passes of this length."""
    return worker(name, 0, *(text_pass(n, counters=counters(wall_ms=pass_ms)) for n in (1, 2, 3)))


def test_the_first_worker_of_a_case_runs_three() -> None:
    assert (PASSES, MORE_PASSES) == (3, 5)
    assert passes_for(plan(more=True), ASKED, []) == 3
    assert passes_for(plan(more=True), ASKED, [seen(10, "r2")]) == 3
    assert passes_for(plan(more=True), ASKED, [failed("r1", 0, "crashed", "so it was")]) == 3


@pytest.mark.parametrize(("pass_ms", "passes"), [(300, 3), (170, 3), (160, 5), (1, 5)])
def test_five_where_the_start_costs_more_than_three_passes(pass_ms: float, passes: int) -> None:
    assert passes_for(plan(more=True), ASKED, [seen(pass_ms)]) == passes


def test_what_the_first_worker_showed_holds_for_the_run() -> None:
    assert passes_for(plan(more=True), ASKED, [seen(300), seen(1)]) == 3


def test_what_was_asked_for_is_done() -> None:
    assert passes_for(plan(more=False, passes=7), ASKED, [seen(1)]) == 7
