"""Which passes others disturbed: more than 5% of all cores, by the kernel's counters, never by value."""

from __future__ import annotations

import pytest

from profiler.analyse.intrusion import counted, foreign_share, intruded, spoiled
from profiler.runfile import Counters, Worker
from tests.run_builder import CORES, MS, counters, text_pass, unfinished, warm_up, worker


def share_of(counted_by_kernel: Counters | None) -> float | None:
    return foreign_share(text_pass(counters=counted_by_kernel), CORES)


def test_busy_time_that_is_not_ours_over_all_cores() -> None:
    """Four cores for one second; the kernel saw 1.8 s of work, of which 1.0 s was ours."""
    seen = Counters(wall_ns=1000 * MS, own_cpu_ns=1000 * MS, busy_ns=1800 * MS)
    assert share_of(seen) == pytest.approx(0.2)


def test_the_limit_is_five_hundredths() -> None:
    assert not intruded(text_pass(counters=counters(foreign_share=0.05)), CORES)
    assert intruded(text_pass(counters=counters(foreign_share=0.051)), CORES)


def test_a_slow_pass_on_a_quiet_machine_is_the_builds_own() -> None:
    assert not intruded(text_pass(ttft_ms=60_000, gap_ms=5_000, counters=counters()), CORES)


def test_ticks_that_round_against_us_are_no_negative_share() -> None:
    assert share_of(Counters(wall_ns=1000 * MS, own_cpu_ns=1010 * MS, busy_ns=1000 * MS)) == 0.0


@pytest.mark.parametrize(
    "unread",
    [
        None,
        Counters(wall_ns=1000 * MS),
        Counters(wall_ns=1000 * MS, own_cpu_ns=500 * MS),
        Counters(wall_ns=1000 * MS, busy_ns=4000 * MS),
        counters(foreign_share=1.0, wall_ms=499),
    ],
    ids=["no counters", "nothing read", "no total", "not ours", "under half a second"],
)
def test_what_cannot_be_judged_is_not_called_disturbed(unread: Counters | None) -> None:
    assert share_of(unread) is None
    assert not intruded(text_pass(counters=unread), CORES)


def test_half_a_second_can_be_judged() -> None:
    assert share_of(counters(foreign_share=0.5, wall_ms=500)) == pytest.approx(0.5)


def test_warm_up_and_unfinished_passes_never_count() -> None:
    passes = [warm_up(), text_pass(1), text_pass(2), unfinished(3, tokens=2)]
    assert [done.number for done in counted(passes)] == [1, 2]


def after(*shares: float) -> Worker:
    return worker(
        "r1",
        0,
        warm_up(),
        *(text_pass(n, counters=counters(foreign_share=s)) for n, s in enumerate(shares, 1)),
    )


@pytest.mark.parametrize(
    ("shares", "again"),
    [((0, 0, 0), False), ((0.9, 0, 0), False), ((0.9, 0), False), ((0.9, 0.9, 0), True), ((0.9,), True)],
)
def test_a_round_is_measured_again_when_more_than_half_of_a_worker_was_disturbed(
    shares: tuple[float, ...], again: bool
) -> None:
    assert spoiled(after(*shares), CORES) is again


def test_a_worker_without_counted_passes_spoils_nothing() -> None:
    loud = text_pass(0, counters=counters(foreign_share=0.9))
    assert not spoiled(worker("r1", 0, loud, unfinished(1, tokens=4)), CORES)
