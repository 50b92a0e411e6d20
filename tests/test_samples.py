"""Which workers stand for their rounds, and which of their passes count."""

from __future__ import annotations

import math

from profiler.analyse.metrics import PASS_METRICS
from profiler.analyse.samples import Samples, log_values, of_cases, samples, standing_attempts
from profiler.runfile import Pass, Worker
from tests.run_builder import CORES, case, counters, failed, text_pass, unfinished, warm_up, worker

DECODE = next(formula for metric, formula in PASS_METRICS.items() if metric.name == "decode_tps")


def loud(number: int) -> Pass:
    return text_pass(number, counters=counters(foreign_share=0.5))


def of(*workers: Worker) -> Samples:
    return samples(workers, standing_attempts(workers), CORES)


def numbers(found: Samples) -> dict[int, list[int]]:
    return {round: [done.number for done in passes] for round, passes in found.passes.items()}


class TestStandingAttempts:
    def test_a_round_measured_once(self) -> None:
        assert standing_attempts([worker("r1", 0), worker("r2", 0), worker("r1", 1)]) == {0: 0, 1: 0}

    def test_a_round_measured_again_in_full_replaces_the_first(self) -> None:
        first = [worker("r1", 0), worker("r2", 0)]
        again = [worker("r1", 0, attempt=1), worker("r2", 0, attempt=1)]
        assert standing_attempts(first + again) == {0: 1}

    def test_a_repetition_that_was_cut_short_does_not(self) -> None:
        first = [worker("r1", 0), worker("r2", 0)]
        assert standing_attempts([*first, worker("r1", 0, attempt=1)]) == {0: 0}

    def test_a_case_that_was_refused_in_round_0_does_not_hold_the_first_attempt(self) -> None:
        refused = failed("r2", 0, "out_of_memory", "it does not fit")
        assert standing_attempts([refused, worker("r1", 0), worker("r1", 0, attempt=1)]) == {0: 1}

    def test_a_repetition_in_which_a_case_crashed_does_not_take_its_place(self) -> None:
        first = [worker("r1", 0), worker("r2", 0)]
        again = [worker("r1", 0, attempt=1), failed("r2", 0, "crashed", "signal 11", attempt=1)]
        assert standing_attempts(first + again) == {0: 0}

    def test_where_everything_failed_the_last_stands(self) -> None:
        assert standing_attempts([failed("r1", 3, "crashed", "signal 11")]) == {3: 0}


class TestSamples:
    def test_warm_up_and_unfinished_passes_are_out(self) -> None:
        found = of(worker("r1", 0, warm_up(), text_pass(1), text_pass(2), unfinished(3, tokens=2)))
        assert numbers(found) == {0: [1, 2]}
        assert found.excluded == 0

    def test_disturbed_passes_are_out_and_counted(self) -> None:
        found = of(*(worker("r1", n, text_pass(1), loud(2), text_pass(3)) for n in range(3)))
        assert numbers(found) == {0: [1, 3], 1: [1, 3], 2: [1, 3]}
        assert found.excluded == 3
        assert not found.kept_although_disturbed

    def test_a_round_without_a_quiet_pass_is_out(self) -> None:
        quiet = [worker("r1", n, text_pass(1)) for n in range(3)]
        found = of(*quiet, worker("r1", 3, loud(1)))
        assert sorted(found.passes) == [0, 1, 2]
        assert found.excluded == 1

    def test_where_fewer_than_three_rounds_would_be_left_all_are_kept_and_it_is_said(self) -> None:
        quiet = [worker("r1", n, text_pass(1)) for n in range(2)]
        found = of(*quiet, worker("r1", 2, loud(1)), worker("r1", 3, loud(1)))
        assert sorted(found.passes) == [0, 1, 2, 3]
        assert found.excluded == 0
        assert found.kept_although_disturbed

    def test_a_slow_pass_is_never_left_out_by_its_value(self) -> None:
        found = of(*(worker("r1", n, text_pass(1), text_pass(2, gap_ms=5000)) for n in range(3)))
        assert found.excluded == 0

    def test_only_the_standing_attempt_counts(self) -> None:
        found = of(worker("r1", 0, text_pass(1)), worker("r1", 0, text_pass(1), text_pass(2), attempt=1))
        assert numbers(found) == {0: [1, 2]}
        assert found.excluded == 1

    def test_a_worker_that_failed_later_gives_no_figure(self) -> None:
        found = of(worker("r1", 0, text_pass(1)), failed("r1", 1, "crashed", "signal 11", text_pass(1)))
        assert numbers(found) == {0: [1]}
        assert found.excluded == 1

    def test_a_case_that_never_ran_has_none(self) -> None:
        assert of().passes == {}
        assert of(failed("r1", 0, "bad_file", "no GGUF")).passes == {}


class TestLogValues:
    def test_one_value_for_each_round_the_median_of_its_passes(self) -> None:
        gaps = (10, 20, 1000)
        found = of(worker("r1", 4, *(text_pass(n, gap_ms=gap) for n, gap in enumerate(gaps, 1))))
        assert log_values(DECODE, case("r1"), found) == {4: math.log(50)}

    def test_a_round_whose_passes_do_not_have_the_figure_is_left_out(self) -> None:
        found = of(worker("r1", 0, text_pass(1, tokens=1)), worker("r1", 1, text_pass(1, tokens=5)))
        assert sorted(log_values(DECODE, case("r1"), found)) == [1]

    def test_stamps_that_run_backwards_give_no_figure(self) -> None:
        found = of(worker("r1", 0, text_pass(1, gap_ms=-10)))
        assert log_values(DECODE, case("r1"), found) == {}


class TestCasesOfOneRun:
    def cases(self, *second: Worker) -> dict[str, Samples]:
        workers = {"r1": [worker("r1", n, text_pass(1), loud(2)) for n in range(4)], "r2": list(second)}
        everyone = [one for several in workers.values() for one in several]
        return of_cases(workers, standing_attempts(everyone), CORES)

    def test_if_one_must_keep_its_disturbed_passes_all_do(self) -> None:
        found = self.cases(*(worker("r2", n, loud(1), loud(2)) for n in range(4)))
        assert [one.kept_although_disturbed for one in found.values()] == [True, True]
        assert numbers(found["r1"]) == {n: [1, 2] for n in range(4)}

    def test_else_each_leaves_out_its_own(self) -> None:
        found = self.cases(*(worker("r2", n, loud(1), text_pass(2)) for n in range(4)))
        assert numbers(found["r1"]) == {n: [1] for n in range(4)}
        assert numbers(found["r2"]) == {n: [2] for n in range(4)}

    def test_a_case_of_few_rounds_does_not_speak_for_the_others(self) -> None:
        found = self.cases(worker("r2", 0, loud(1)))
        assert numbers(found["r1"]) == {n: [1] for n in range(4)}
        assert numbers(found["r2"]) == {0: [1]}
