"""A comparison as a value and as it is shown: figures, failures, names that want to be more than names."""

from __future__ import annotations

import json
import math
import re
from typing import Any
from xml.etree import ElementTree

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from profiler.analyse.compared import Compared
from profiler.analyse.comparing import compare_files
from profiler.analyse.gate import Condition, Result
from profiler.analyse.matches import NO_ANCHOR, OTHER_DEVICE
from profiler.analyse.report import report
from profiler.analyse.verdict import Verdict
from profiler.cli.values import condition
from profiler.errors import UserError
from profiler.render import compared_terminal, junit
from profiler.render.compared_formats import RENDERERS
from profiler.runfile import Run
from tests.run_builder import (
    BOARD,
    MIB,
    build,
    case,
    failed,
    memory,
    pp,
    raw_pass,
    rounds,
    run,
    text,
    tg,
    worker,
)
from tests.test_any_run import any_run
from tests.test_hostile_names import NASTY, hostile

NOISE = [0.00, 0.01, -0.02, 0.03, -0.01, 0.02, -0.03, 0.00]
DRIFT = [10, 11, 13, 17, 14, 12, 20, 15]
EVERY_FORMAT = (*RENDERERS, "terminal at 60")


def shown(found: Compared, name: str) -> str:
    return compared_terminal.render(found, 60) if name == "terminal at 60" else RENDERERS[name](found)


def asked(*texts: str) -> list[Condition]:
    return [condition(text) for text in texts]


def two(factor: float, *, ended: str | None = "rounds", peak: float = 100, **facts: Any) -> Run:
    """A base and a candidate of `factor` times its time, on a machine that drifts."""
    return run(
        [case("r1", "old"), case("r2", "new")],
        rounds("r1", DRIFT, phases=memory(100)),
        rounds("r2", [gap * factor for gap in DRIFT], phases=memory(peak)),
        ended=ended, **facts,
    )  # fmt: skip


def single(gaps: list[float], name: str = "m", **facts: Any) -> Run:
    return run([case("r1", name)], rounds("r1", gaps), **facts)


class TestOneRun:
    def test_it_says_what_the_report_says(self) -> None:
        seen = two(0.8)
        (pair,) = compare_files(seen).pairs
        assert pair.comparisons == report(seen).comparisons
        assert (pair.base, pair.candidate, pair.design) == ("r1", "r2", "paired")
        assert pair.differs == ["build: old -> new"]

    def test_both_values_stand_beside_the_ratio_as_the_report_has_them(self) -> None:
        seen = two(0.8)
        (pair,) = compare_files(seen).pairs
        rows = report(seen).rows
        value = pair.values["decode_tps"]
        assert (value.base, value.candidate) == tuple(row.metrics["decode_tps"].value for row in rows)

    def test_what_a_condition_names_is_compared_too_and_corrected_for(self) -> None:
        noisy = [10 * math.exp(noise) for noise in NOISE]
        seen = run([case("r1", "old"), case("r2", "new")], rounds("r1", [10] * 8), rounds("r2", noisy))
        bare = compare_files(seen).pairs[0].comparisons
        more = compare_files(seen, conditions=asked("tpot_ms > 5%")).pairs[0].comparisons
        assert [c.metric for c in bare] == ["ttft_ms", "decode_tps"]
        assert [c.metric for c in more] == ["ttft_ms", "decode_tps", "tpot_ms"]
        assert more[1].low is not None
        assert bare[1].low is not None
        assert more[1].low <= bare[1].low

    def test_one_row_is_refused(self) -> None:
        with pytest.raises(UserError, match="no two rows to compare"):
            compare_files(single([10] * 8))


class TestGate:
    def result(self, seen: Run, *texts: str) -> list[tuple[Result, str]]:
        found = compare_files(seen, conditions=asked(*texts))
        return [(item.result, item.seen) for item in found.conditions]

    @pytest.mark.parametrize(
        ("factor", "result"), [(1.10, Result.FAILED), (1.0, Result.PASSED), (0.8, Result.PASSED)]
    )
    def test_a_change_beyond_the_limit(self, factor: float, result: Result) -> None:
        assert self.result(two(factor), "decode_tps < -3%")[0][0] is result

    def test_without_conditions_there_is_no_result(self) -> None:
        assert compare_files(two(2)).result is None

    def test_memory_has_one_value_for_each_worker(self) -> None:
        seen = two(1.0, peak=106)
        assert self.result(seen, "peak_rss_bytes > 5%") == [
            (Result.FAILED, "change +6%, interval +6% to +6%")
        ]
        assert self.result(seen, "peak_rss_bytes > 6%")[0][0] is Result.PASSED

    def test_nothing_before_the_planned_stop(self) -> None:
        ((result, seen),) = self.result(two(2, ended=None), "decode_tps < -3%")
        assert result is Result.UNDECIDED
        assert seen.endswith("the run did not reach its planned stop")

    FAILED_ONE = (failed("r2", 0, "crashed", "signal 11"),)

    def test_a_candidate_that_failed_where_the_base_did_not_fails_the_gate(self) -> None:
        seen = run([case("r1", "old"), case("r2", "new")], rounds("r1", DRIFT), self.FAILED_ONE)
        assert self.result(seen, "decode_tps < -3%") == [
            (Result.FAILED, "r2 failed to measure: crashed: signal 11")
        ]

    def test_a_base_that_failed_leaves_it_undecided(self) -> None:
        crashed = failed("r1", 0, "crashed", "signal 11")
        one = run([case("r1", "old"), case("r2", "new")], [crashed], rounds("r2", DRIFT))
        both = run([case("r1", "old"), case("r2", "new")], [crashed], self.FAILED_ONE)
        told = [(Result.UNDECIDED, "r1, the base, failed to measure: crashed: signal 11")]
        assert self.result(one, "decode_tps < -3%") == told
        assert self.result(both, "decode_tps < -3%") == told

    def test_a_metric_that_was_not_read_leaves_it_undecided(self) -> None:
        seen = run([case("r1", "old"), case("r2", "new")], rounds("r1", DRIFT), rounds("r2", DRIFT))
        assert self.result(seen, "peak_rss_bytes > 5%") == [
            (Result.UNDECIDED, "this metric was not measured in both rows")
        ]

    def test_energy_without_one_sensor_in_common_leaves_it_undecided(self) -> None:
        seen = run([case("r1", "old"), case("r2", "new")], rounds("r1", DRIFT), rounds("r2", DRIFT))
        assert self.result(seen, "energy_j_per_token > 5%") == [
            (Result.UNDECIDED, "this metric was not measured in both rows by the same sensor")
        ]

    def test_a_condition_is_asked_only_where_the_workload_has_its_metric(self) -> None:
        cases = [
            case("r1"),
            case("r2", threads=2),
            case("r3", workload=tg(4)),
            case("r4", workload=tg(4), threads=2),
        ]
        raw = [
            worker(c, n, raw_pass(1, evaluated_ms=0, token_ms=[10, 20, 30, 40]))
            for c in ("r3", "r4") for n in range(8)
        ]  # fmt: skip
        seen = run(cases, rounds("r1", DRIFT), rounds("r2", DRIFT), raw)
        found = compare_files(seen, conditions=asked("decode_tps < -3%", "tg_tps < -3%")).conditions
        assert [(item.condition, item.candidate) for item in found] == [
            ("decode_tps < -3%", "r2"), ("tg_tps < -3%", "r4"),
        ]  # fmt: skip

    @pytest.mark.parametrize("good", [2, 6])
    def test_a_candidate_that_was_given_up_does_not_pass_by_what_it_measured_before(self, good: int) -> None:
        crashes = [failed("r2", good + n, "crashed", "it aborted") for n in range(2)]
        seen = run(
            [case("r1", "old"), case("r2", "new")], rounds("r1", [10] * 9), rounds("r2", [10] * good), crashes
        )
        assert self.result(seen, "decode_tps < -3%") == [
            (Result.FAILED, "r2 failed to measure: crashed: it aborted")
        ]

    def test_one_that_crashed_once_and_went_on_is_judged(self) -> None:
        seen = run(
            [case("r1", "old"), case("r2", "new")],
            rounds("r1", [10] * 9),
            [failed("r2", 0, "crashed", "it aborted"), *rounds("r2", [10] * 9)[1:]],
        )
        assert [found for found, _ in self.result(seen, "decode_tps < -3%")] == [Result.PASSED]

    def test_a_metric_that_no_row_can_have_is_refused(self) -> None:
        with pytest.raises(
            UserError, match=r"the workloads of these rows have no pp_tps; .* ttft_ms, decode_tps"
        ):
            compare_files(two(1.0), conditions=asked("pp_tps < -3%"))

    def test_rows_picked_out_of_a_run_keep_the_correction_of_its_report(self) -> None:
        cases = [case(f"r{n}", threads=n) for n in (1, 2, 3)]
        gaps = [10.0, 10.4, 10.1, 10.3, 10.2, 10.5, 10.0, 10.2, 10.1, 10.3, 10.6, 10.2]
        seen = run(cases, *(rounds(c.id, gaps[n:] + gaps[:n]) for n, c in enumerate(cases)))
        whole = next(pair for pair in compare_files(seen).pairs if pair.candidate == "r2")
        [picked] = compare_files(seen, rows=("r1", "r2")).pairs
        assert picked.comparisons == whole.comparisons

    def test_an_anchor_is_not_tied_to_itself(self) -> None:
        cases = [case("r1", "m"), case("r2", "tie")]
        bare = run(cases, rounds("r1", DRIFT), rounds("r2", DRIFT))
        plan = msgspec.structs.replace(bare.header.plan, anchors=["r2"])
        header = msgspec.structs.replace(bare.header, plan=plan)
        ours, theirs = (msgspec.structs.replace(bare, header=header) for _ in range(2))
        assert compare_files(ours, theirs, rows=("r1", "r1")).pairs[0].design == "anchored"
        assert compare_files(ours, theirs, rows=("r2", "r2")).pairs[0].design == "unanchored"

    def test_rows_that_were_asked_different_things_decide_nothing(self) -> None:
        cases = [case("r1"), case("r2", workload=text("code@1"))]
        seen = run(cases, rounds("r1", DRIFT), rounds("r2", DRIFT))
        found = compare_files(seen, rows=("r1", "r2"), conditions=asked("decode_tps < -3%"))
        assert found.pairs[0].comparisons[0].verdict is Verdict.NOT_COMPARABLE
        assert [(item.result, item.seen) for item in found.conditions] == [
            (Result.UNDECIDED, "the rows were asked different things")
        ]


class TestTwoRuns:
    def test_a_row_of_the_base_that_is_gone_does_not_pass_unseen(self) -> None:
        cases = [case("r1", "a", threads=1), case("r2", "a", threads=2)]
        ours = run(cases, rounds("r1", DRIFT), rounds("r2", DRIFT))
        theirs = run(cases[:1], rounds("r1", [gap / 3 for gap in DRIFT]))
        found = compare_files(ours, theirs, conditions=asked("decode_tps < -3%"))
        assert [(item.base, item.candidate, item.result) for item in found.conditions] == [
            ("r1", "r1", Result.PASSED), ("r2", "", Result.UNDECIDED),
        ]  # fmt: skip
        assert found.result is Result.UNDECIDED
        for name in EVERY_FORMAT:
            assert "r2 of the base has no partner" in " ".join(shown(found, name).split())

    def test_without_an_anchor_it_says_why_intervals_are_wide_and_what_to_do(self) -> None:
        found = compare_files(single([10] * 8), single([11] * 8, "n"), files=("a.jsonl", "b.jsonl"))
        assert found.notes == [NO_ANCHOR]
        assert found.pairs[0].design == "unanchored"
        assert {item.verdict for item in found.pairs[0].comparisons} == {Verdict.UNDECIDED}
        for name in EVERY_FORMAT:
            words = " ".join(shown(found, name).split())
            assert "14.5%" in words
            assert "b.jsonl" in words

    def test_on_different_devices_an_anchor_is_no_help_and_not_used(self) -> None:
        other = msgspec.structs.replace(BOARD, id="pi")
        cases = [case("r1", "m"), case("r2", "old")]
        ours, theirs = (
            run(cases, rounds("r1", DRIFT), rounds("r2", DRIFT), device=device, anchors=["r2"])
            for device in (BOARD, other)
        )
        found = compare_files(ours, theirs)
        assert found.notes == [OTHER_DEVICE]
        assert found.pairs[0].design == "unanchored"
        assert {item.verdict for item in found.pairs[0].comparisons} == {Verdict.UNDECIDED}
        assert "device: board -> pi" in found.pairs[0].differs

    def test_what_would_decide_is_one_run_of_both(self) -> None:
        cases = [case("r1", "m"), case("r2", "old")]
        noisy = [10 * math.exp(noise + 0.01) for noise in NOISE]
        ours, theirs = (
            run(cases, rounds("r1", gaps), rounds("r2", [10] * 8), anchors=["r2"])
            for gaps in ([10] * 8, noisy)
        )
        text = RENDERERS["markdown"](compare_files(ours, theirs))
        assert re.search(r"r1 decode: one fresh run of both with --processes \d+ would decide it", text)

    def test_a_candidate_that_failed_in_its_run_fails_the_gate(self) -> None:
        theirs = run([case("r1", "m")], [failed("r1", 0, "out_of_memory", "too big")], ended="all_failed")
        found = compare_files(single([10] * 8), theirs, conditions=asked("decode_tps < -3%"))
        assert found.result is Result.FAILED

    def test_where_nothing_belongs_together_it_is_refused_or_undecided(self) -> None:
        ours, theirs = single([10] * 8), run([case("r1", "m", workload=pp(4))])
        with pytest.raises(UserError, match="1 row of the base found no partner"):
            compare_files(ours, theirs)
        found = compare_files(ours, theirs, conditions=asked("decode_tps < -3%"))
        assert found.result is Result.UNDECIDED
        assert len(found.unmatched) == 2

    def test_a_run_file_that_was_altered_is_refused(self) -> None:
        seen = single([10])
        with pytest.raises(UserError, match="it was altered"):
            compare_files(seen, run([case("r1", "m")], rounds("r9", [10])))
        with pytest.raises(UserError, match="speaks of a case 'r9'"):
            compare_files(run([case("r1", "m")], rounds("r1", [10]), anchors=["r9"]), seen)


class TestShown:
    def test_markdown_says_the_verdict_first(self) -> None:
        found = compare_files(
            two(1.10, peak=100), conditions=asked("decode_tps < -3%", "peak_rss_bytes > 5%")
        )
        lines = [line for line in RENDERERS["markdown"](found).splitlines() if line]
        assert lines[:5] == [
            "## edgeprof: gate failed",
            "| condition | candidate / base | result | seen |",
            "| --- | --- | --- | --- |",
            "| decode_tps \\< -3% | r2 / r1 | **failed** | change -9.09%, interval -9.09% to -9.09% |",
            "| peak_rss_bytes \\> 5% | r2 / r1 | passed | change +0%, interval +0% to +0% |",
        ]
        assert "### r2 new against r1 old, chat@1" in lines
        assert "| decode | 73.6 tok/s | 66.9 tok/s | x0.909 | 0.909 to 0.909 | **worse** |" in lines
        assert "Differs: build: old -\\> new" in lines

    def test_without_conditions_it_counts_the_verdicts(self) -> None:
        assert compared_terminal.render(compare_files(two(0.8))).startswith("1 same, 1 better\n")

    @pytest.mark.parametrize("name", ["terminal", "markdown"])
    def test_why_it_is_undecided_and_what_would_decide_it(self, name: str) -> None:
        noisy = [10 * math.exp(noise + 0.01) for noise in NOISE]
        seen = run([case("r1", "old"), case("r2", "new")], rounds("r1", noisy), rounds("r2", [10] * 8))
        assert re.search(
            r"r2 decode: a fresh run with --processes \d+ would decide", RENDERERS[name](compare_files(seen))
        )

    def test_a_failure_stands_where_its_figures_would(self) -> None:
        seen = run([case("r1", "old"), case("r2", "new")], rounds("r1", DRIFT), TestGate.FAILED_ONE)
        for name in ("terminal", "markdown", "terminal at 60"):
            assert "r2 failed to measure: crashed: signal 11" in shown(compare_files(seen), name)

    def test_workers_that_failed_on_the_way_are_told(self) -> None:
        some = [*rounds("r2", DRIFT)[:-1], failed("r2", 7, "crashed", "signal 11")]
        seen = run([case("r1", "old"), case("r2", "new")], rounds("r1", DRIFT), some)
        assert "r2: 1 of 8 workers failed: signal 11" in compared_terminal.render(compare_files(seen))

    def test_json_keeps_its_contract(self) -> None:
        found = json.loads(RENDERERS["json"](compare_files(two(1.1), conditions=asked("decode_tps < -3%"))))
        assert found["schema"] == "edgeprof.compare/1"
        assert list(found) == [
            "schema",
            "edgeprof",
            "base",
            "candidate",
            "pairs",
            "unmatched",
            "conditions",
            "result",
            "notes",
        ]
        (pair,) = found["pairs"]
        assert list(pair["comparisons"][0]) == [
            "metric", "base", "candidate", "ratio", "low", "high", "pairs", "provisional", "verdict", "differs",
            "spread", "rounds_needed", "rounds_reason",
        ]  # fmt: skip
        assert found["conditions"] == [
            {"condition": "decode_tps < -3%", "base": "r1", "candidate": "r2", "result": "failed",
             "seen": "change -9.09%, interval -9.09% to -9.09%", "rounds_needed": None, "rounds_reason": None}
        ]  # fmt: skip
        assert found["result"] == "failed"

    @pytest.mark.parametrize("width", [60, 80, 110])
    def test_nothing_is_wider_than_the_terminal(self, width: int) -> None:
        found = compare_files(two(1.1), conditions=asked("decode_tps < -3%"))
        assert max(map(len, compared_terminal.render(found, width).splitlines())) <= width


class TestJUnit:
    def cases(self, found: Compared) -> list[ElementTree.Element]:
        root = ElementTree.fromstring(junit.render(found))
        (suite,) = root
        assert (root.tag, suite.tag) == ("testsuites", "testsuite")
        assert suite.get("tests") == str(len(suite))
        assert suite.get("failures") == str(len(suite.findall("testcase/failure")))
        assert suite.get("skipped") == str(len(suite.findall("testcase/skipped")))
        return list(suite)

    def test_failed_undecided_and_passed(self) -> None:
        found = compare_files(two(1.1), conditions=asked("decode_tps < -3%", "load_ms > 5%", "ttft_ms > 5%"))
        failure, undecided, passed = self.cases(found)
        assert failure.attrib["name"] == "not decode_tps < -3%"
        assert failure.attrib["classname"] == "r2 new, chat@1"
        assert failure[0].attrib["message"] == "change -9.09%, interval -9.09% to -9.09%"
        assert [child.tag for child in passed] == ["system-out"]
        assert undecided[0].attrib["message"] == "undecided: this metric was not measured in both rows"


def hostile_pair() -> Compared:
    seen = hostile()
    return compare_files(
        seen, msgspec.structs.replace(seen, sha256={NASTY: "other" + NASTY}),
        rows=("=r1" + NASTY, "+r2" + NASTY),
        conditions=asked("decode_tps < -3%"), files=(NASTY, "b" + NASTY),
    )  # fmt: skip


HOSTILE = [
    compare_files(hostile(), conditions=asked("decode_tps < -3%")),
    hostile_pair(),
    compare_files(hostile(), msgspec.structs.replace(hostile(), sha256={})),
]


@pytest.mark.parametrize("found", HOSTILE, ids=["one run", "two rows of two runs", "two runs"])
class TestHostileNames:
    @pytest.mark.parametrize("name", EVERY_FORMAT)
    def test_no_character_moves_the_cursor_or_the_reading_direction(self, found: Compared, name: str) -> None:
        assert "".join(shown(found, name).split("\n")).isprintable()

    def test_markdown_makes_no_element_and_no_address_of_them(self, found: Compared) -> None:
        text = shown(found, "markdown")
        page = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
        ours = {"h2", "h3", "table", "thead", "tbody", "tr", "th", "td", "ul", "li", "p", "strong"}
        assert set(re.findall(r"<(\w+)", page)) <= ours
        assert "https://" not in text
        assert "www.e" not in text
        for table in page.split("<table>")[1:]:
            cells = [
                len(re.findall("<t[hd][ >]", line)) for line in table.split("</table>")[0].split("<tr>")[1:]
            ]
            assert len(set(cells)) == 1

    def test_junit_stays_well_formed(self, found: Compared) -> None:
        text = junit.render(found)
        assert "".join(text.split("\n")).isprintable()
        assert len(ElementTree.fromstring(text)[0]) == len(found.conditions)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(any_run(), any_run())
def test_any_two_runs_are_compared_and_shown(ours: Run, theirs: Run) -> None:
    """As every failing condition would have it, so that nothing is refused for want of partners."""
    conditions = asked("peak_rss_bytes > 5%", "unexplained_bytes > 5%", "load_ms > 5%")
    found = compare_files(ours, theirs, conditions=conditions)
    assert all(shown(found, name) for name in EVERY_FORMAT)
    assert ElementTree.fromstring(junit.render(found)).tag == "testsuites"


@given(st.sampled_from([0.5, 0.9, 1.0, 1.05, 2.0]), st.permutations(NOISE))
def test_swapping_base_and_candidate_inverts_ratio_and_verdict(factor: float, noise: list[float]) -> None:
    gaps = [10 * factor * math.exp(value) for value in noise]
    seen = run([case("r1", "old"), case("r2", "new")], rounds("r1", [10] * 8), rounds("r2", gaps))
    one, other = (
        compare_files(seen, rows=rows).pairs[0].comparisons[1] for rows in (("r1", "r2"), ("r2", "r1"))
    )
    assert one.ratio is not None
    assert other.ratio is not None
    assert one.ratio * other.ratio == pytest.approx(1)
    swapped = {Verdict.BETTER: Verdict.WORSE, Verdict.WORSE: Verdict.BETTER}
    assert other.verdict is swapped.get(one.verdict, one.verdict)


def test_memory_across_runs_is_compared_as_it_is() -> None:
    ours, theirs = (
        run([case("r1", "m")], rounds("r1", [10] * 8, phases=memory(peak))) for peak in (100, 106)
    )
    found = compare_files(ours, theirs, conditions=asked("peak_rss_bytes > 5%"))
    assert found.result is Result.FAILED
    assert found.pairs[0].values["peak_rss_bytes"].base == pytest.approx(100 * MIB)


def test_builds_are_named_by_their_files_across_runs() -> None:
    ours = single([10] * 8, "m#1", builds=[build("m#1", name="m.gguf")])
    theirs = single([10] * 8, "m", builds=[build("m", name="m.gguf")])
    assert compare_files(ours, theirs).pairs[0].differs == []
