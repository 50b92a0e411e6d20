"""What a reader must know, told once and in sentences."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from profiler.analyse.notices import Notice
from profiler.analyse.report import Report, report
from profiler.runfile import Build, Case, Run, Worker
from tests.run_builder import build, case, counters, failed, rounds, run, text, text_pass, worker

EIGHT = [10.0] * 8


def row_notices(
    seen: list[Worker], asked: Case | None = None, builds: Sequence[Build] = ()
) -> dict[str, Notice]:
    return codes(report(run([asked or case("r1")], seen, builds=builds)).rows[0].notices)


def codes(notices: list[Notice]) -> dict[str, Notice]:
    return {notice.code: notice for notice in notices}


def of_run(seen: Run) -> dict[str, Notice]:
    return codes(report(seen).notices)


def test_a_quiet_finished_run_has_none() -> None:
    found: Report = report(run([case("r1")], rounds("r1", EIGHT)))
    assert found.rows[0].notices == []
    assert found.notices == []


class TestRow:
    @pytest.mark.parametrize(("count", "said"), [(1, "1 round: "), (3, "3 rounds: "), (5, "5 rounds: ")])
    def test_few_rounds(self, count: int, said: str) -> None:
        assert row_notices(rounds("r1", EIGHT[:count]))["provisional"].seen.startswith(said)

    def test_six_are_enough_at_one_look_and_not_at_four(self) -> None:
        assert "provisional" not in row_notices(rounds("r1", EIGHT[:6]))
        four_looks = report(run([case("r1")], rounds("r1", EIGHT[:6]), planned=None)).rows[0]
        assert codes(four_looks.notices)["provisional"].advice.startswith("they hold from 7 rounds on")

    def test_passes_left_out_are_not_all_called_disturbed(self) -> None:
        crashed = failed("r1", 8, "crashed", "signal 11", text_pass(1))
        found = row_notices([*rounds("r1", EIGHT), crashed])["passes_excluded"]
        assert found.seen == "left out: 1 pass (1 of a worker that failed)"

    def test_passes_left_out_by_why(self) -> None:
        loud = text_pass(2, counters=counters(foreign_share=0.5))
        seen = [*rounds("r1", EIGHT), worker("r1", 8, text_pass(1), loud), worker("r1", 9, text_pass(1))]
        again = [*seen, worker("r1", 9, text_pass(1), attempt=1)]
        assert row_notices(again)["passes_excluded"].seen == (
            "left out: 2 passes (1 disturbed by others, 1 of a round measured again)"
        )

    def test_passes_too_short_for_the_kernels_ticks(self) -> None:
        seen = rounds("r1", EIGHT, counters=counters(wall_ms=200))
        assert "intrusion_unknown" in row_notices(seen)

    def test_nearly_everything_disturbed(self) -> None:
        seen = [worker("r1", n, text_pass(1, counters=counters(foreign_share=0.5))) for n in range(8)]
        found = row_notices(seen)
        assert "disturbed" in found
        assert "passes_excluded" not in found

    def test_some_workers_failed(self) -> None:
        seen = [*rounds("r1", EIGHT), failed("r1", 8, "crashed", "signal 11")]
        assert row_notices(seen)["some_failed"].seen == "1 of 9 workers failed: signal 11"

    def test_greedy_answers_that_differ(self) -> None:
        seen = [worker("r1", n, text_pass(1, output_sha256=f"{n % 2}")) for n in range(8)]
        assert row_notices(seen)["output_differs"].seen.startswith(
            "greedy generation gave 2 different answers"
        )

    @pytest.mark.parametrize(("faults", "told"), [(0, False), (99, False), (100, True)])
    def test_paging_is_how_a_model_runs_that_does_not_stay_in_memory(self, faults: int, told: bool) -> None:
        seen = rounds("r1", EIGHT, counters=counters(major_faults=faults))
        assert ("paging" in row_notices(seen)) is told

    @pytest.mark.parametrize(("length", "told"), [(132, True), (133, False), (None, False)])
    def test_beyond_the_context_the_model_was_made_for(self, length: int | None, told: bool) -> None:
        """128 tokens in and 5 out."""
        found = row_notices(
            rounds("r1", EIGHT), case("r1", "tiny", workload=text(prompt=128, output=5)),
            [build("tiny", context_length=length)],
        )  # fmt: skip
        assert ("beyond_context" in found) is told

    def test_a_row_that_failed_has_its_failure_and_no_notices(self) -> None:
        [row] = report(run([case("r1")], [failed("r1", 0, "bad_file", "no GGUF")])).rows
        assert row.notices == []
        assert row.failure is not None


class TestRun:
    def test_torn(self) -> None:
        assert "torn" in of_run(run([case("r1")], rounds("r1", EIGHT), torn=True))

    def test_unfinished(self) -> None:
        assert of_run(run([case("r1")], rounds("r1", EIGHT), ended=None)).keys() == {"unfinished"}

    @pytest.mark.parametrize(
        ("reason", "why"), [("max_time", "the time was up"), ("rounds", "all rounds were used")]
    )
    def test_the_precision_asked_for_was_not_reached(self, reason: str, why: str) -> None:
        found = of_run(run([case("r1")], rounds("r1", EIGHT), planned=None, ended=reason))
        assert found["target_not_reached"].seen == (
            f"{why} before every headline interval was within 2% of its value"
        )

    def test_a_comparison_was_not_decided(self) -> None:
        cases = [case("r1", threads=1), case("r2", threads=2)]
        noisy = [10.0, 14.0] * 4
        seen = run(cases, rounds("r1", noisy), rounds("r2", noisy[::-1]), planned=None, ended="max_time")
        plan = msgspec.structs.replace(seen.header.plan, until_decided=True)
        seen = msgspec.structs.replace(seen, header=msgspec.structs.replace(seen.header, plan=plan))
        assert (
            of_run(seen)["target_not_reached"].seen == "the time was up before every comparison was decided"
        )

    @pytest.mark.parametrize(("planned", "reason"), [(None, "within"), (8, "rounds")])
    def test_no_precision_was_asked_for_or_it_was_reached(self, planned: int | None, reason: str) -> None:
        assert of_run(run([case("r1")], rounds("r1", EIGHT), planned=planned, ended=reason)) == {}

    def test_more_comparisons_than_the_rounds_can_judge(self) -> None:
        """12 candidates on two metrics: each may err once in 480, and 8 rounds cannot err less than in 128."""
        cases = [case(f"r{n}", threads=n) for n in range(1, 14)]
        found = of_run(run(cases, *(rounds(c.id, EIGHT) for c in cases)))["too_few_rounds"]
        assert found.seen == "24 comparisons at once take 10 rounds for a verdict, not 8"
        assert found.advice == "compare fewer cases, or give --processes 10"

    def test_not_while_it_is_still_unfinished(self) -> None:
        cases = [case("r1", threads=1), case("r2", threads=2)]
        seen = run(cases, rounds("r1", EIGHT[:2]), rounds("r2", EIGHT[:2]), ended=None)
        assert of_run(seen).keys() == {"unfinished"}
