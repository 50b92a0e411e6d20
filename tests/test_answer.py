"""The question and the one sentence of a report: it claims no more than the intervals, and hides no failure."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from profiler import runfile
from profiler.analyse.report import Report, report
from profiler.analyse.shipping import verdicts
from profiler.analyse.source import Source
from profiler.documents.limits import read_limits
from profiler.render import verdict_words as words
from profiler.render.answer import answer
from profiler.render.question import question
from profiler.runfile import Run, Worker
from tests.hand_made import WOBBLE, hand_made
from tests.run_builder import BOARD, build, case, failed, pp, raw_pass, rounds, run, text, tg, worker
from tests.test_cold import cold, starts
from tests.test_sustained import ASKED_S, CASE, after, course

DEMO = Path(__file__).parents[1] / "reports/demo/run.jsonl"
STEADY, SLOW = [10.0 * w for w in WOBBLE], [12.5 * w for w in WOBBLE]


def source(of: Run | Report, name: str = "run.jsonl") -> Source:
    shown = of if isinstance(of, Report) else report(of)
    return Source(name=name, report=shown, run=of if isinstance(of, Run) else None)


def asked(of: Run | Report) -> str:
    return question([source(of)], None)


def said(of: Run | Report) -> str:
    return answer([source(of)], None)


def minutes(*passes: runfile.Pass) -> Run:
    seen = run([CASE], [worker("r1", 0, *passes)])
    plan = msgspec.structs.replace(seen.header.plan, sustained_s=ASKED_S)
    return msgspec.structs.replace(seen, header=msgspec.structs.replace(seen.header, plan=plan))


def three(second: list[float], third: list[float], **facts: str | None) -> Run:
    cases = [case(f"r{n}", threads=n) for n in (1, 2, 4)]
    gaps = zip(cases, (STEADY, second, third), strict=True)
    return run(cases, *(rounds(c.id, g) for c, g in gaps), **facts)  # type: ignore[arg-type]


class TestTheQuestion:
    def test_one_case(self) -> None:
        assert asked(run([case("r1")])) == "How fast does tiny-Q4_0 run on A board (4 cores)?"

    def test_one_build_with_several_values_of_a_setting(self) -> None:
        cases = [case("r1", threads=2), case("r2", threads=4)]
        assert asked(run(cases)) == "With which threads does tiny-Q4_0 run fastest on A board (4 cores)?"

    def test_one_build_on_several_engines(self) -> None:
        cases = [case("r1"), case("r2", engine="ort")]
        assert asked(run(cases)) == "On which engine does tiny-Q4_0 run fastest on A board (4 cores)?"

    def test_several_builds(self) -> None:
        cases = [case("r1", "a"), case("r2", "b")]
        assert asked(run(cases)) == "Which of these 2 builds runs fastest on A board (4 cores)?"

    def test_several_cases_of_several_builds(self) -> None:
        asks = asked(hand_made())
        assert asks == "Which of these 4 cases of 2 builds runs fastest on A board (4 cores)?"

    def test_one_build_with_several_workloads_has_nothing_to_choose(self) -> None:
        cases = [case("r1", workload=pp(512)), case("r2", workload=tg(128))]
        assert asked(run(cases)) == "How fast does tiny-Q4_0 run on A board (4 cores)?"

    def test_an_anchor_is_no_part_of_it(self) -> None:
        found = run([case("r1", "a"), case("r2", "b")], anchors=["r2"])
        assert asked(found) == "How fast does a run on A board (4 cores)?"

    def test_minutes_and_cold_starts_ask_for_something_else(self) -> None:
        assert asked(minutes(*course(seconds=20))) == "Does tiny-Q4_0 keep its speed on A board (4 cores)?"
        assert asked(cold(starts([True] * 8))).startswith("How fast does build-r1 start from cold on ")

    def test_a_device_without_a_known_processor_is_called_by_its_name(self) -> None:
        device = msgspec.structs.replace(BOARD, cpu=None, cores=None)
        assert asked(run([case("r1")], device=device)).endswith(" on A board?")

    def test_several_files(self) -> None:
        other = run([case("r1", "b")], device=msgspec.structs.replace(BOARD, cpu="Cortex-A55"))
        found = question([source(run([case("r1", "a")])), source(other)], None)
        assert found == "How fast do these 2 builds run on these 2 devices?"


class TestOneCase:
    def test_its_figures_with_intervals(self) -> None:
        found = said(run([case("r1")], rounds("r1", STEADY)))
        assert found == "tiny-Q4_0 gives its first token after 100 ms ±0% and then 99.8 tok/s ±1.1%."

    def test_one_process_has_no_interval(self) -> None:
        found = said(run([case("r1")], rounds("r1", [10])))
        assert "after 100 ms and then 100 tok/s, without an interval" in found

    def test_few_rounds_are_provisional(self) -> None:
        found = said(run([case("r1")], rounds("r1", [10, 10.1, 10.2])))
        assert found.endswith("; the intervals are provisional.")

    @pytest.mark.parametrize(
        ("workload", "done", "told"),
        [
            (pp(100), raw_pass(evaluated_ms=500), "reads prompts at 200 tok/s ±0% by llama-bench's method"),
            (tg(2), raw_pass(evaluated_ms=0, token_ms=(10, 20)), "generates 100 tok/s ±0% by llama-bench's method"),
        ],
    )  # fmt: skip
    def test_raw_workloads_name_their_method(
        self, workload: runfile.Workload, done: runfile.Pass, told: str
    ) -> None:
        found = run([case("r1", workload=workload)], [worker("r1", n, done) for n in range(8)])
        assert said(found) == f"tiny-Q4_0 {told}."

    def test_a_failure_is_the_answer(self) -> None:
        found = run([case("r1")], [failed("r1", 0, "out_of_memory", "it needs 3 GiB and 2 are free")])
        assert said(found) == "tiny-Q4_0 could not be measured: it needs 3 GiB and 2 are free."

    def test_nothing_yet(self) -> None:
        assert said(run([case("r1")], ended=None)) == "Nothing has been measured yet."


class TestTwoCases:
    def test_are_told_by_their_ratio_with_its_interval(self) -> None:
        cases = [case("r1", threads=2), case("r2", threads=4)]
        found = said(run(cases, rounds("r1", STEADY), rounds("r2", SLOW)))
        assert found == (
            "r2 (tiny-Q4_0, threads 4) against r1 (tiny-Q4_0, threads 2) is the same at TTFT "
            "(x1.000, 1.000 to 1.000) and worse at decode (x0.800, 0.800 to 0.800)."
        )

    def test_rounds_that_do_not_meet_give_no_ratio(self) -> None:
        cases = [case("r1", "a"), case("r2", "b")]
        apart = [msgspec.structs.replace(one, round=one.round + 8) for one in rounds("r2", SLOW)]
        found = said(run(cases, rounds("r1", STEADY), apart))
        assert "which one decodes fastest is undecided (best figure: 99.8 tok/s ±1.1%, of r1" in found
        assert "best beyond doubt" not in found


class TestSeveralCases:
    def test_the_best_beyond_doubt_and_what_is_undecided(self) -> None:
        found = said(runfile.read(DEMO))
        assert found == (
            "r4 (SmolLM2-135M-Instruct.Q4_0, llama-cpp) decodes fastest beyond doubt, at 165 tok/s ±4.7%; "
            "which one gives the first token soonest is undecided (best figure: 141 ms ±5.2%, of r4); "
            "2 of 10 comparisons stay undecided."
        )

    def test_best_is_what_the_report_marks(self) -> None:
        found = report(three(SLOW, SLOW))
        assert [metric for metric, row in found.best if row == "r1"] == ["decode_tps"]
        assert said(found).startswith("r1 (tiny-Q4_0, threads 1) decodes fastest beyond doubt, at 99.8 tok/s")

    def test_none_is_best_where_none_is(self) -> None:
        found = said(three(STEADY, STEADY))
        assert "beyond doubt" not in found
        assert "which one decodes fastest is undecided" in found

    def test_failed_cases_are_counted_by_kind(self) -> None:
        assert said(hand_made()).endswith("; 1 of 4 cases could not be measured (out of memory).")

    def test_all_failed(self) -> None:
        dead: list[Worker] = [failed("r1", 0, "crashed", "x"), failed("r2", 0, "timeout", "y")]
        found = said(run([case("r1", threads=1), case("r2", threads=2)], dead))
        assert found == "None of the 2 cases could be measured: 1 crashed, 1 timeout."

    def test_a_run_cut_short_judges_nothing(self) -> None:
        found = said(three(SLOW, SLOW, ended=None))
        assert found.startswith("The run did not reach its planned stop, so nothing is judged; so far ")
        assert "beyond doubt" not in found
        assert "undecided." not in found

    def test_cases_still_to_come_are_counted(self) -> None:
        cases = [case("r1", threads=1), case("r2", threads=2)]
        found = said(run(cases, rounds("r1", STEADY), ended=None))
        assert found.endswith("; 1 of 2 cases not measured yet.")

    def test_workloads_are_told_apart(self) -> None:
        cases = [case("r1", workload=text("chat@1")), case("r2", workload=text("rag@1"))]
        found = said(run(cases, rounds("r1", STEADY), rounds("r2", SLOW)))
        assert found.startswith("chat@1: ")
        assert "; rag@1: " in found

    def test_imported_figures_are_called_so(self) -> None:
        shown = report(three(SLOW, SLOW, ended=None))
        rows = [msgspec.structs.replace(row, basis="imported") for row in shown.rows]
        found = said(msgspec.structs.replace(shown, rows=rows))
        assert found.startswith("By imported figures, of which nothing is judged, ")
        assert "planned stop" not in found


class TestOtherRuns:
    def test_minutes_settle(self) -> None:
        found = said(minutes(*course(after(120, 1.25), ghz=after(120, 1.5, 2.0))))
        assert (
            found
            == "r1 tiny-Q4_0 settles at 80.0 tok/s from 2 min on, x0.800 of its first minute, throttled."
        )

    def test_minutes_that_stay_steady(self) -> None:
        assert said(minutes(*course())) == "r1 tiny-Q4_0 keeps 100 tok/s from the start."

    def test_minutes_cut_short(self) -> None:
        assert said(minutes(*course(seconds=200))).endswith(" and was cut short after 3 min 20 s.")

    def test_cold_starts_stand_beside_the_warm_figures(self) -> None:
        assert "; a cold start takes 700 ms" in said(cold(starts([True] * 8)))

    def test_starts_that_were_not_cold(self) -> None:
        assert "; no start was cold" in said(cold(starts([False] * 8)))

    def test_several_files_each_have_their_clause(self) -> None:
        found = answer(
            [source(run([case("r1")], rounds("r1", STEADY)), f"{n}.jsonl") for n in range(5)], None
        )
        assert found.startswith("On A board (4 cores) (0.jsonl) tiny-Q4_0 gives its first token after 100 ms")
        assert found.endswith("; and 2 more files.")


def test_limits_ask_their_own_question_and_have_their_own_answer() -> None:
    seen = source(hand_made())
    judged = verdicts([seen], read_limits("laptop-chat"))
    assert question([seen], judged) == words.question(judged)
    assert answer([seen], judged) == words.answer(judged)


def test_a_workload_is_named_once() -> None:
    cases = [case("r1", workload=tg(4)), case("r2", workload=pp(8))]
    workers = [
        worker("r1", 0, raw_pass(evaluated_ms=0, token_ms=[10, 20, 30, 40])),
        failed("r2", 0, "crashed", ""),
    ]
    found = said(run(cases, workers))
    assert found.startswith("tg4: tiny-Q4_0 generates 100 tok/s by llama-bench's method")


def test_a_name_that_begins_the_sentence_keeps_its_letters() -> None:
    found = run([case("r1", "tiny.gguf")], rounds("r1", STEADY), builds=[build("tiny.gguf")])
    assert said(found).startswith("tiny.gguf gives its first token")


def test_a_name_of_any_length_leaves_room_for_the_figures() -> None:
    found = said(run([case("r1", "x" * 500)], rounds("r1", STEADY)))
    assert found.startswith("x" * 60 + " ... gives its first token after 100 ms")
