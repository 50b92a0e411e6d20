"""A figure with its interval, or the reason why there is none."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from profiler.analyse.estimate import Estimate, estimates
from profiler.analyse.samples import samples, standing_attempts
from profiler.analyse.statistics import signed_rank_interval, t_interval
from profiler.runfile import Case, Worker
from tests.run_builder import (
    CORES,
    MIB,
    case,
    counters,
    memory,
    pp,
    raw_pass,
    rounds,
    text,
    text_pass,
    tg,
    warm_up,
    worker,
)

GAPS = (9.7, 9.8, 9.9, 10.0, 10.1, 10.2, 10.3, 10.4)
LOGS = [math.log(1000 / gap) for gap in GAPS]


def of(workers: Sequence[Worker], asked: Case | None = None, level: float = 0.982) -> dict[str, Estimate]:
    found = samples(workers, standing_attempts(workers), CORES)
    return estimates(asked or case("r1"), found, level)


class TestInterval:
    def test_from_enough_rounds_it_is_the_signed_rank_interval_of_one_log_for_each_process(self) -> None:
        bounds = signed_rank_interval(LOGS, 0.982)
        assert bounds is not None
        found = of(rounds("r1", GAPS))["decode_tps"]
        assert found.value == pytest.approx(math.exp(bounds.centre))
        assert found.low == pytest.approx(math.exp(bounds.low))
        assert found.high == pytest.approx(math.exp(bounds.high))
        assert not found.provisional

    def test_it_counts_processes_and_passes(self) -> None:
        found = of(rounds("r1", GAPS, passes=3))["decode_tps"]
        assert (found.processes, found.passes, found.excluded) == (8, 24, 0)

    def test_passes_of_one_process_do_not_narrow_it(self) -> None:
        few, many = (of(rounds("r1", GAPS, passes=n))["decode_tps"] for n in (1, 9))
        assert (few.low, few.high) == (many.low, many.high)

    def test_it_promises_95_percent_over_all_looks(self) -> None:
        assert of(rounds("r1", GAPS), level=0.982)["decode_tps"].level == 0.95

    def test_below_that_it_is_a_t_interval_and_provisional(self) -> None:
        bounds = t_interval(LOGS[:3], 0.982)
        assert bounds is not None
        found = of(rounds("r1", GAPS[:3]))["decode_tps"]
        assert found.low == pytest.approx(math.exp(bounds.low))
        assert found.high == pytest.approx(math.exp(bounds.high))
        assert found.provisional

    def test_six_rounds_do_not_reach_the_level_of_four_looks(self) -> None:
        assert of(rounds("r1", GAPS[:6]), level=0.95)["decode_tps"].provisional is False
        assert of(rounds("r1", GAPS[:6]), level=0.982)["decode_tps"].provisional is True

    def test_one_process_has_a_value_and_no_spread(self) -> None:
        found = of(rounds("r1", [10]))["decode_tps"]
        assert found.value == pytest.approx(100)
        assert (found.low, found.high, found.level) == (None, None, None)
        assert found.reason == "one process has no spread"

    def test_rounds_without_any_spread_have_an_interval_of_no_width(self) -> None:
        found = of(rounds("r1", [10] * 8))["decode_tps"]
        assert found.low == found.value == found.high == pytest.approx(100)


class TestAbsent:
    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("decode_tps", "fewer than two tokens were generated"),
            ("tpot_ms", "fewer than two tokens were generated"),
            ("tokenize_ms", "tokenization was not timed"),
            ("prompt_bps", "the size of the text was not recorded"),
            ("load_ms", "loading was not timed"),
            ("anon_bytes", "not readable on this system"),
            ("kv_bytes", "the engine does not say"),
            ("unexplained_bytes", "one of its parts is not known"),
            ("itl_ms.last_tenth", "fewer than ten gaps between tokens"),
        ],
    )
    def test_none_with_a_reason(self, name: str, reason: str) -> None:
        one_token = text(output=1)
        found = of(rounds("r1", [10] * 3, tokens=1), case("r1", workload=one_token))[name]
        assert found == Estimate(value=None, unit=found.unit, reason=reason)

    def test_a_prompt_workload_generates_nothing(self) -> None:
        found = of([worker("r1", 0, raw_pass(1, evaluated_ms=2000))], case("r1", workload=pp(512)))
        assert found["pp_tps"].value == pytest.approx(256)
        assert found["tg_tps"].reason == "this workload generates no tokens"

    def test_text_figures_are_not_among_those_of_llama_bench(self) -> None:
        seen = [worker("r1", 0, raw_pass(1, evaluated_ms=0, token_ms=[10, 20]))]
        found = of(seen, case("r1", workload=tg(2)))
        assert found["tg_tps"].value == pytest.approx(100)
        assert not {"ttft_ms", "decode_tps", "itl_ms.last_tenth"} & set(found)


class TestWorkers:
    def test_load_rests_on_processes_not_on_passes(self) -> None:
        found = of(rounds("r1", [10] * 8, load_ms=250.0))["load_ms"]
        assert found.value == pytest.approx(250)
        assert (found.processes, found.passes) == (8, 0)

    def test_disturbed_passes_do_not_enter(self) -> None:
        loud = counters(foreign_share=0.5)
        seen = [
            worker("r1", n, text_pass(1, gap_ms=10), text_pass(2, gap_ms=90, counters=loud)) for n in range(8)
        ]
        found = of(seen)["decode_tps"]
        assert found.value == pytest.approx(100)
        assert (found.passes, found.excluded) == (8, 8)

    def test_the_warm_up_enters_nothing_but_its_own_figure(self) -> None:
        found = of([worker("r1", n, warm_up(ttft_ms=9000), text_pass(1, ttft_ms=100)) for n in range(8)])
        assert found["ttft_ms"].value == pytest.approx(100)
        assert found["first_ttft_ms"].value == pytest.approx(9000)

    def test_memory_is_the_largest_of_all_processes(self) -> None:
        seen = [worker("r1", n, text_pass(1), phases=memory(peak)) for n, peak in enumerate((100, 300, 200))]
        found = of(seen)["peak_rss_bytes"]
        assert (found.value, found.unit, found.processes) == (300 * MIB, "B", 3)
