"""Which passes others disturbed: more than 5% of all cores, by the kernel's counters, never by value."""

from __future__ import annotations

import pytest

from profiler.analyse.intrusion import foreign_share, intruded, reasons, spoiled, unjudged
from profiler.runfile import Counters, Pass, Worker, counted
from tests.run_builder import CORES, MS, counters, text_pass, unfinished, warm_up, worker


def share_of(counted_by_kernel: Counters | None) -> float | None:
    return foreign_share(counted_by_kernel, CORES)


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
        Counters(wall_ns=0, own_cpu_ns=0, busy_ns=0),
    ],
    ids=["no counters", "nothing read", "no total", "not ours", "no time"],
)
def test_what_was_not_counted_is_not_called_disturbed(unread: Counters | None) -> None:
    assert share_of(unread) is None
    assert not intruded(text_pass(counters=unread), CORES)
    assert unjudged(text_pass(counters=unread))


def seen(wall_ms: float = 1000, **moved: int) -> Pass:
    """One core busy for us for the whole pass, nobody else, and these counters besides."""
    wall_ns = round(wall_ms * MS)
    return text_pass(
        counters=Counters(wall_ns=wall_ns, **{"own_cpu_ns": wall_ns, "busy_ns": wall_ns} | moved)
    )


class TestShortPasses:
    """Ticks of 10 ms cannot tell below 0.3 s, unless the pressure of the CPU bears them out."""

    def test_three_tenths_of_a_second_can_be_judged_by_ticks(self) -> None:
        assert intruded(seen(300, busy_ns=600 * MS), CORES)
        assert not unjudged(seen(300))

    def test_below_that_ticks_alone_prove_nothing(self) -> None:
        assert not intruded(seen(290, busy_ns=580 * MS), CORES)
        assert unjudged(seen(290, busy_ns=580 * MS))

    def test_pressure_is_the_second_witness(self) -> None:
        assert intruded(seen(200, busy_ns=400 * MS, cpu_pressure_ns=21 * MS), CORES)
        assert not intruded(seen(200, busy_ns=400 * MS, cpu_pressure_ns=20 * MS), CORES)
        assert not unjudged(seen(200, cpu_pressure_ns=0))

    def test_pressure_alone_may_be_threads_of_our_own(self) -> None:
        assert not intruded(seen(200, cpu_pressure_ns=200 * MS), CORES)
        assert not intruded(seen(1000, cpu_pressure_ns=1000 * MS), CORES)


@pytest.mark.parametrize(
    ("moved", "clauses"),
    [
        ({"busy_ns": 1240 * MS}, ["others' CPU time 6% > 5%"]),
        ({"steal_ns": 200 * MS}, []),
        ({"steal_ns": 240 * MS}, ["steal 6% > 5%"]),
        ({"memory_pressure_ns": 50 * MS}, []),
        ({"memory_pressure_ns": 80 * MS}, ["memory pressure 8% > 5%"]),
        ({"memory_pressure_ns": 800 * MS, "major_faults": 1}, []),
        ({"swapped_in_pages": 256, "major_faults": 0}, []),
        ({"swapped_in_pages": 300, "major_faults": 0}, ["swap by others 300 > 256 pages/s"]),
        ({"swapped_in_pages": 300, "major_faults": 10}, []),
        ({"swapped_in_pages": 9000}, []),
        ({"io_pressure_ns": 900 * MS, "swapped_out_pages": 9000}, []),
    ],
)
def test_each_limit_of_the_table(moved: dict[str, int], clauses: list[str]) -> None:
    assert reasons(seen(**moved), CORES) == clauses


def test_what_the_device_does_by_itself_is_never_left_out() -> None:
    """Heat, paging of its own, threads waiting for each other."""
    own = {
        "major_faults": 100_000,
        "minor_faults": 10**6,
        "involuntary_switches": 10**5,
        "throttle_events": 99,
    }
    assert reasons(seen(**own, memory_pressure_ns=900 * MS, swapped_in_pages=800_000), CORES) == []


def test_reasons_of_a_pass_are_told_all() -> None:
    assert len(reasons(seen(busy_ns=4000 * MS, steal_ns=400 * MS), CORES)) == 2


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
