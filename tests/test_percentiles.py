"""Percentiles: only where the samples carry them, and with bounds that hold."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from itertools import accumulate, chain

import pytest

from profiler.analyse.estimate import Estimate
from profiler.analyse.gaps import gaps_ns, tenth
from profiler.analyse.metrics import PASS_METRICS
from profiler.analyse.notices import Notice
from profiler.analyse.percentiles import percentiles
from profiler.analyse.report import report
from profiler.analyse.samples import samples, standing_attempts
from profiler.analyse.stalls import stalls
from profiler.analyse.statistics import order_statistic_bound, signed_rank_interval
from profiler.render import formats, terminal
from profiler.render.percentiles import MOST_ROWS, sections
from profiler.runfile import Pass, Worker
from tests.run_builder import (
    CORES,
    MS,
    case,
    counters,
    raw_pass,
    rounds,
    run,
    text,
    text_pass,
    tg,
    warm_up,
    worker,
)

ASKED = (50, 90, 95, 99)


def of(workers: Sequence[Worker], level: float = 0.95) -> dict[str, Estimate]:
    return percentiles(case("r1"), samples(workers, standing_attempts(workers), CORES), level)


def pass_of(gaps_ms: Sequence[float], number: int = 1) -> Pass:
    """A first token after 100 ms, then these gaps."""
    stamps = accumulate(gaps_ms, initial=100.0)
    return Pass(
        number=number,
        start_ns=0,
        evaluated_ns=0,
        token_ns=[round(stamp * MS) for stamp in stamps],
        counters=counters(),
    )


def first_tokens(*ttfts_ms: float) -> list[Worker]:
    """A process for each, whose later passes are far slower."""
    return [
        worker("r1", n, warm_up(), text_pass(1, ttft_ms=ttft), text_pass(2, ttft_ms=9000))
        for n, ttft in enumerate(ttfts_ms)
    ]


class TestFirstTokens:
    def test_each_process_gives_its_first_counted_pass(self) -> None:
        found = of(first_tokens(*range(1, 101)))
        assert [found[f"ttft_ms.p{p}"].value for p in ASKED] == [50.5, 90, 95, 99]
        assert (found["ttft_ms.p90"].processes, found["ttft_ms.p90"].passes) == (100, 100)

    def test_where_others_disturbed_the_first_pass_the_second_is_the_first_that_counts(self) -> None:
        loud = text_pass(1, ttft_ms=5000, counters=counters(foreign_share=0.5))
        found = of([worker("r1", n, loud, text_pass(2, ttft_ms=100)) for n in range(10)])
        assert found["ttft_ms.p90"].value == 100

    @pytest.mark.parametrize(
        ("processes", "carried"), [(1, 0), (2, 1), (9, 1), (10, 2), (19, 2), (20, 3), (99, 3), (100, 4)]
    )
    def test_only_where_the_processes_carry_it(self, processes: int, carried: int) -> None:
        found = of(first_tokens(*range(1, processes + 1)))
        shown = [p for p in ASKED if found[f"ttft_ms.p{p}"].value is not None]
        assert shown == list(ASKED[:carried])

    @pytest.mark.parametrize(("p", "closed_from"), [(90, 36), (95, 72)])
    def test_the_upper_bound_is_open_until_the_processes_close_it(self, p: int, closed_from: int) -> None:
        few, enough = (
            of(first_tokens(*range(1, n + 1)))[f"ttft_ms.p{p}"] for n in (closed_from - 1, closed_from)
        )
        assert (few.high, few.level) == (None, None)
        assert (enough.high, enough.level) == (closed_from, 0.95)

    def test_a_bound_of_a_run_with_four_looks_holds_at_all_of_them(self) -> None:
        """Of twelve values the tenth lies above the median with 98.1%, too little where four looks were planned."""
        seen = first_tokens(*range(1, 13))
        highs = [of(seen, level)["ttft_ms.p50"].high for level in (0.95, 0.982)]
        assert highs == [10, 11]

    def test_the_reason_names_the_processes(self) -> None:
        assert of(first_tokens(1, 2, 3))["ttft_ms.p90"].reason == (
            "the first tokens of 3 processes do not carry a p90"
        )


class TestGaps:
    def gaps(self, count: int, processes: int = 1) -> dict[str, Estimate]:
        """Processes of one pass each with gaps of 1, 2, 3, ... ms."""
        return of([worker("r1", n, pass_of(range(1, count + 1))) for n in range(processes)])

    @pytest.mark.parametrize(
        ("count", "carried"), [(1, 0), (2, 1), (9, 1), (10, 2), (19, 2), (20, 3), (99, 3), (100, 4)]
    )
    def test_only_where_the_gaps_of_one_process_carry_it(self, count: int, carried: int) -> None:
        found = self.gaps(count)
        shown = [p for p in ASKED if found[f"itl_ms.p{p}"].value is not None]
        assert shown == list(ASKED[:carried])

    def test_many_processes_do_not_carry_what_one_does_not(self) -> None:
        assert self.gaps(50, processes=20)["itl_ms.p99"].reason == (
            "the 50 gaps of one process do not carry a p99"
        )

    def test_passes_of_one_process_do(self) -> None:
        seen = [worker("r1", 0, pass_of([10] * 50, 1), pass_of([10] * 50, 2))]
        assert of(seen)["itl_ms.p99"].value == pytest.approx(10)

    def test_by_hand(self) -> None:
        found = self.gaps(100)
        assert [found[f"itl_ms.p{p}"].value for p in ASKED] == pytest.approx([50.5, 90, 95, 99])

    def test_processes_are_combined_as_for_every_other_metric(self) -> None:
        """Each process has one gap in ten that is ten times as long: its p95 is that one."""
        typical = (9.7, 9.8, 9.9, 10.0, 10.1, 10.2, 10.3, 10.4)
        seen = [worker("r1", n, pass_of([gap] * 90 + [10 * gap] * 10)) for n, gap in enumerate(typical)]
        found, bounds = (
            of(seen)["itl_ms.p95"],
            signed_rank_interval([math.log(10 * g) for g in typical], 0.95),
        )
        assert bounds is not None
        assert (found.value, found.low, found.high) == pytest.approx(
            (math.exp(bounds.centre), math.exp(bounds.low), math.exp(bounds.high))
        )
        assert (found.level, found.provisional, found.processes, found.passes) == (0.95, False, 8, 8)

    def test_below_six_processes_they_are_provisional(self) -> None:
        seen = [worker("r1", n, pass_of([10 + n] * 100)) for n in range(5)]
        assert of(seen)["itl_ms.p50"].provisional

    def test_workloads_without_text_have_none(self) -> None:
        seen = [worker("r1", 0, raw_pass(1, evaluated_ms=0, token_ms=range(10, 2000, 10)))]
        found = samples(seen, standing_attempts(seen), CORES)
        assert percentiles(case("r1", workload=tg(199)), found, 0.95) == {}


class TestPositions:
    """Gaps of 1, 2, 3, ... ms, numbered by the token that ends each."""

    DONE = pass_of(range(1, 41))

    def test_the_tenths_of_forty_gaps(self) -> None:
        assert {part: list(tenth(self.DONE, part)) for part in ("first", "middle", "last")} == {
            "first": [2, 3, 4, 5],
            "middle": [20, 21, 22, 23],
            "last": [38, 39, 40, 41],
        }

    def test_the_median_gap_of_each(self) -> None:
        values = {metric.name: formula(self.DONE, text()) for metric, formula in PASS_METRICS.items()}
        names = ("itl_ms.first_tenth", "itl_ms.middle_tenth", "itl_ms.last_tenth")
        assert [values[name] for name in names] == pytest.approx([2.5, 20.5, 38.5])

    @pytest.mark.parametrize(("gaps", "size"), [(9, 0), (10, 1), (19, 1), (20, 2), (127, 12)])
    def test_how_many_gaps_a_tenth_has(self, gaps: int, size: int) -> None:
        assert len(tenth(pass_of([10] * gaps), "last")) == size


PROCESSES, GAPS = 8, 100
OWN_SD, GAP_SD = 0.08, 0.06
Z90 = 1.2815515594


def session(chance: random.Random) -> list[Worker]:
    """Processes that each have a speed of their own, and gaps around it, on the log scale."""
    found = []
    for n in range(PROCESSES):
        own = chance.gauss(0, OWN_SD)
        found.append(
            worker("r1", n, pass_of([10 * math.exp(own + chance.gauss(0, GAP_SD)) for _ in range(GAPS)]))
        )
    return found


class TestCoverage:
    """The gaps of a process resemble each other, so as samples they count for far fewer than they are."""

    def test_pooling_all_gaps_as_independent_samples_claims_too_much_and_processes_do_not(self) -> None:
        chance, sessions = random.Random(5), 300
        of_all = 10 * math.exp(Z90 * math.hypot(OWN_SD, GAP_SD))
        of_one_process = 10 * math.exp(Z90 * GAP_SD)
        pooled_holds = ours_holds = 0
        for _ in range(sessions):
            seen = session(chance)
            gaps = list(chain.from_iterable(gaps_ns(one.passes[0]) for one in seen))
            bound, ours = order_statistic_bound(gaps, 90), of(seen)["itl_ms.p90"]
            assert bound is not None
            assert ours.low is not None
            assert ours.high is not None
            pooled_holds += bound / MS >= of_all
            ours_holds += ours.low <= of_one_process <= ours.high
        assert pooled_holds / sessions < 0.8  # of promised 0.975
        assert ours_holds / sessions > 0.93  # of promised 0.95


class TestStalls:
    def notice(self, gaps_ms: Sequence[float]) -> Notice | None:
        seen = [worker("r1", n, pass_of([10.0] * 60 if n else gaps_ms)) for n in range(8)]
        notices = report(run([case("r1")], seen)).rows[0].notices
        return next((notice for notice in notices if notice.code == "stalls"), None)

    def test_how_many_how_much_and_where_the_longest(self) -> None:
        """420 gaps of 10 ms, 58 more, and stalls of 400 and 100 ms: 480 of 5280 ms are beyond the median."""
        found = self.notice([10.0] * 29 + [400.0, 100.0] + [10.0] * 29)
        assert found is not None
        assert found.seen == (
            "2 of 480 gaps between tokens took more than 3 times the median, 9% of the time in all; "
            "the longest 400 ms before token 31 of pass 1 in round 0"
        )

    def test_three_times_the_median_is_no_stall(self) -> None:
        assert self.notice([10.0] * 59 + [30.0]) is None

    def test_what_takes_under_a_hundredth_of_the_time_is_not_told(self) -> None:
        seen = [worker("r1", n, pass_of([10.0] * 100 + ([40.0] if n == 0 else []))) for n in range(8)]
        found = stalls(samples(seen, standing_attempts(seen), CORES))
        assert found is not None
        assert found.count == 1
        assert "stalls" not in {notice.code for notice in report(run([case("r1")], seen)).rows[0].notices}

    def test_stamps_that_run_backwards_are_no_reason_to_fail(self) -> None:
        backwards = [worker("r1", 1, pass_of([-1000.0] * 20))]
        seen = [worker("r1", 0, pass_of([10.0] * 20 + [99.0])), *backwards]
        found = stalls(samples(seen, standing_attempts(seen), CORES))
        assert found is not None
        assert found.share <= 1

    def test_gaps_that_grow_with_depth_are_none(self) -> None:
        assert self.notice([10 + k / 4 for k in range(60)]) is None


class TestShown:
    RUN = run([case("r1"), case("r2", threads=2)], rounds("r1", [10, 11, 12, 10, 11, 12, 10, 11], tokens=61))

    @pytest.mark.parametrize("width", [60, 80, 110])
    def test_the_terminal_has_a_line_for_each_measured_row(self, width: int) -> None:
        lines = terminal.render(report(self.RUN), width).splitlines()
        start = lines.index("Gaps between tokens, ms, pooled over all positions")
        assert lines[start + 1].split() == ["p50", "p90", "p95", "p99", "first", "to", "last", "tenth"]
        assert lines[start + 2].split()[0] == "r1"
        assert lines[start + 3 :][:1] != ["  r2"]

    def test_markdown_has_a_table(self) -> None:
        shown = formats.render(report(self.RUN), "markdown")
        assert "### Gaps between tokens, ms, pooled over all positions" in shown

    def test_a_percentile_that_is_absent_is_a_dash(self) -> None:
        [section] = sections(report(run([case("r1")], rounds("r1", [10, 11, 12], tokens=11, passes=1))))
        assert [str(cell) for cell in section.lines[0][1]][2:4] == ["-", "-"]

    def test_first_tokens_have_their_section_once_a_p90_is_carried(self) -> None:
        ten = report(run([case("r1")], rounds("r1", [10] * 10)))
        [_, first] = sections(ten)
        assert [str(cell) for cell in first.lines[0][1]] == ["100 (≤ 100)", "100 (open)", "-", "-"]

    def test_a_run_of_very_many_rows_has_no_such_section(self) -> None:
        cases = [case(f"r{n}", threads=n) for n in range(MOST_ROWS + 1)]
        assert sections(report(run(cases, *(rounds(c.id, [10, 11, 12]) for c in cases)))) == []
