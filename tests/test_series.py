"""What charts show beyond a report's figures, on stamps that can be worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from profiler.analyse.samples import Samples
from profiler.analyse.series import AtDepth, Stalled, Stretch, by_depth, gap_course, middle_depth
from profiler.analyse.study import Study
from profiler.analyse.timeline import Timeline, timeline
from profiler.runfile import Anchor, Pass, Run, Worker
from tests.run_builder import MS, START, case, counters, failed, run, text, text_pass, tg, warm_up, worker

MINUTE_MS = 60_000


def stamped(gaps_ms: Sequence[float], number: int = 1) -> Pass:
    """A pass with its first token after 100 ms and then these gaps."""
    token_ms = [100 + sum(gaps_ms[:k]) for k in range(len(gaps_ms) + 1)]
    return replace(text_pass(number), token_ns=[round(ms * MS) for ms in token_ms])


def counted(*rounds: Sequence[Pass]) -> Samples:
    """These passes count, a list for each round."""
    return Samples(
        passes=dict(enumerate(map(list, rounds))), workers={}, left_out={}, kept_although_disturbed=False
    )


class TestDepth:
    CASE = case("r1", workload=text(prompt=128, output=25))

    def test_an_answer_is_cut_into_twelve_stretches(self) -> None:
        found = by_depth(self.CASE, counted([stamped([10.0] * 12 + [20.0] * 12)]))
        assert found[0] == AtDepth(depth=129.5, tps=100)
        assert found[-1] == AtDepth(depth=151.5, tps=50)
        assert [at.tps for at in found] == [100] * 6 + [50] * 6

    def test_one_slow_round_of_three_moves_nothing(self) -> None:
        quick, slow = [stamped([10.0] * 24)], [stamped([90.0] * 24)]
        assert {at.tps for at in by_depth(self.CASE, counted(quick, slow, quick))} == {100}

    def test_below_ten_gaps_there_is_no_curve(self) -> None:
        assert by_depth(self.CASE, counted([stamped([10.0] * 9)])) == []

    def test_the_raw_method_has_no_answer(self) -> None:
        assert by_depth(case("r1", workload=tg(25)), counted([stamped([10.0] * 24)])) == []

    def test_the_raw_method_stands_at_the_middle_of_what_it_generates(self) -> None:
        assert middle_depth(replace(tg(128), depth=512)) == 576


class TestGaps:
    def test_the_typical_pass_is_the_one_in_the_middle(self) -> None:
        passes = [stamped([gap] * 10, number) for number, gap in enumerate([30.0, 11.0, 10.0], 1)]
        found = gap_course(counted(passes))
        assert found is not None
        assert (found.number, found.typical_ms, found.passes) == (2, [11.0] * 10, 3)

    def test_most_gaps_lie_between_the_tenth_and_the_ninetieth_percentile(self) -> None:
        passes = [stamped([float(gap)] * 10, gap) for gap in range(1, 11)]
        found = gap_course(counted(passes))
        assert found is not None
        assert found.stretches[0] == Stretch(first=2, last=3, low_ms=1, high_ms=9)
        assert found.stretches[-1] == Stretch(first=10, last=11, low_ms=1, high_ms=9)

    def test_a_stall_is_told_with_its_token_and_pass(self) -> None:
        found = gap_course(counted([stamped([10.0] * 10)], [stamped([10.0] * 4 + [31.0] + [10.0] * 6, 2)]))
        assert found is not None
        assert found.stalls == [Stalled(token=6, gap_ms=31, round=1, number=2)]

    def test_of_very_many_passes_as_many_are_taken_evenly_and_no_stall_is_lost(self) -> None:
        passes = [stamped([10.0] * 10, number) for number in range(1, 899)]
        slow = [stamped([10.0] * 9 + [40.0], number) for number in (899, 900)]
        found = gap_course(counted([*passes, *slow]))
        assert found is not None
        assert (found.passes, len(found.stalls)) == (300, 2)

    def test_below_ten_gaps_there_is_none(self) -> None:
        assert gap_course(counted([stamped([10.0] * 9)])) is None


def living(found: Worker, from_ms: float, to_ms: float) -> Worker:
    """The worker with another start and end."""
    start, end = (
        Anchor(wall_ns=START.wall_ns + round(ms * MS), mono_ns=round(ms * MS)) for ms in (from_ms, to_ms)
    )
    return replace(found, started=start, ended=end)


def seconds(number: int, start_ms: float) -> Pass:
    """A pass of 30 s: its first token comes with its end."""
    return text_pass(number, ttft_ms=30_000, tokens=1, start_ns=round(start_ms * MS))


def over_time(seen: Run) -> Timeline:
    found = timeline(Study(seen), ["r1"])
    assert found is not None
    return found


class TestTimeline:
    def test_passes_of_one_worker_are_one_span(self) -> None:
        passes = [seconds(1, MINUTE_MS), seconds(2, 1.5 * MINUTE_MS)]
        found = over_time(run([case("r1")], [living(worker("r1", 0, warm_up(), *passes), 0, 3 * MINUTE_MS)]))
        (span,) = found.spans
        assert (span.start_min, span.end_min, span.passes, span.fate, span.why) == (1, 2, 2, "counted", None)
        assert (found.length_min, found.paused_min) == (3, 0)

    def test_a_disturbed_pass_stands_apart_with_its_reason(self) -> None:
        loud = counters(foreign_share=0.3)
        rounds = [
            worker("r1", n, text_pass(1), *([text_pass(2, counters=loud)] if n == 0 else []))
            for n in range(4)
        ]
        found = over_time(run([case("r1")], rounds))
        assert [span.fate for span in found.spans if span.round == 0] == ["counted", "disturbed"]
        assert {span.why for span in found.spans} == {None, "others' CPU time 30% > 5%"}

    def test_where_almost_all_were_disturbed_they_count(self) -> None:
        loud = counters(foreign_share=0.3)
        found = over_time(run([case("r1")], [worker("r1", n, text_pass(counters=loud)) for n in range(3)]))
        assert [span.fate for span in found.spans] == ["kept"] * 3

    def test_a_quiet_pass_of_a_round_that_was_measured_again(self) -> None:
        attempts = [worker("r1", 0, text_pass(), attempt=attempt) for attempt in (0, 1)]
        assert [span.fate for span in over_time(run([case("r1")], attempts)).spans] == ["again", "counted"]

    def test_passes_of_a_worker_that_failed(self) -> None:
        found = over_time(run([case("r1")], [failed("r1", 0, "crashed", "it crashed", text_pass())]))
        assert [span.fate for span in found.spans] == ["failed"]

    def test_a_long_pause_is_cut_out(self) -> None:
        workers = [
            living(worker("r1", 0, seconds(1, 0)), 0, MINUTE_MS),
            living(worker("r1", 1, seconds(1, 61 * MINUTE_MS)), 61 * MINUTE_MS, 62 * MINUTE_MS),
        ]
        found = over_time(run([case("r1")], workers))
        assert [span.start_min for span in found.spans] == pytest.approx([0, 1])
        assert (found.length_min, found.paused_min) == pytest.approx((2, 60))

    def test_stamps_by_another_clock_stay_within_the_worker(self) -> None:
        found = over_time(run([case("r1")], [living(worker("r1", 0, seconds(1, -(10**9))), 0, MINUTE_MS)]))
        assert (found.spans[0].start_min, found.spans[0].end_min) == (0, 0)

    def test_without_a_worker_there_is_none(self) -> None:
        assert timeline(Study(run([case("r1")])), ["r1"]) is None
