"""From stamps to the cell: every step shown is the one that the report was computed with."""

from __future__ import annotations

import json
import math
import re
import statistics
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from profiler import runfile
from profiler.analyse import symbols
from profiler.analyse.explanation import EXPLAINED, Explanation, explain
from profiler.analyse.metrics import (
    ENERGY_METRICS,
    IDLE_POWER,
    MEMORY_METRICS,
    MEMORY_PARTS,
    PASS_METRICS,
    WORKER_METRICS,
    energy_value,
)
from profiler.analyse.percentiles import percentile
from profiler.analyse.ratio_explanation import RatioExplanation, explain_ratio
from profiler.analyse.report import Report, report
from profiler.analyse.spent import Spent, Use
from profiler.analyse.symbols import MEANINGS, Symbol
from profiler.errors import UserError
from profiler.render import explained, explained_ratio
from profiler.render.columns import tables
from profiler.render.json import encoded
from profiler.render.terminal import as_text
from profiler.render.worked import precise, worked
from profiler.runfile import Proof, Route, Run
from tests.conftest import Command, only_refusal
from tests.hand_made import hand_made
from tests.run_builder import (
    BOARD,
    MIB,
    build,
    case,
    counters,
    failed,
    memory,
    pp,
    raw_pass,
    rounds,
    run,
    text,
    text_pass,
    tg,
    unfinished,
    warm_up,
    worker,
)
from tests.test_any_run import any_run

DEMO_FILE = Path(__file__).parents[1] / "reports" / "demo" / "run.jsonl"


@pytest.fixture(scope="module")
def demo() -> Run:
    return runfile.read(DEMO_FILE)


@pytest.fixture(scope="module")
def demo_report(demo: Run) -> Report:
    return report(demo)


@pytest.fixture(scope="module", params=[f"r{n}" for n in range(1, 7)])
def explained_row(request: pytest.FixtureRequest, demo: Run, demo_report: Report) -> dict[str, Explanation]:
    """Every metric of one row of the demo."""
    row = next(row for row in demo_report.rows if row.id == request.param)
    return {name: explain(demo, row.id, name) for name in row.metrics}


def shown(found: Explanation, width: int = 110, every: bool = False) -> str:
    return as_text(explained.renderable(found, every), width)


def shown_ratio(found: RatioExplanation, width: int = 110, every: bool = False) -> str:
    return as_text(explained_ratio.renderable(found, every), width)


def put_into(formula: str, known: dict[str, Symbol]) -> float | None:
    """What the text of a formula gives when the symbols' values are put in."""
    values = {name: list(v.values()) if isinstance(v, dict) else v for name, v in known.items()}
    if not set(symbols.named_in(formula)) <= set(values):
        return None
    functions: dict[str, Any] = {
        "median": statistics.median,
        "max": max,
        "sum": sum,
        "mean": statistics.fmean,
        "percentile": lambda p, gaps: percentile(sorted(gaps), p),
    }
    result: float = eval(formula, {"__builtins__": {}}, functions | values)
    return result


class TestFormulas:
    """The words of a formula and its code are one: both are given the same stamps."""

    def test_every_symbol_of_every_formula_has_its_meaning(self) -> None:
        functions = {"median", "max", "sum", "mean", "percentile"}
        for metric in EXPLAINED.values():
            assert set(re.findall(r"[A-Za-z_]\w*", metric.formula)) <= set(MEANINGS) | functions

    @pytest.mark.parametrize("metric", PASS_METRICS, ids=lambda metric: metric.name)
    def test_of_a_pass(self, demo: Run, metric: Any) -> None:
        raw = [
            (raw_pass(1, evaluated_ms=1234.5, token_ms=[1, 3, 7]), workload) for workload in (pp(512), tg(3))
        ]
        recorded = [(done, demo.header.plan.cases[0].workload) for w in demo.workers for done in w.passes]
        of_method = raw if "raw" in metric.methods else recorded
        compared = 0
        for done, workload in of_method:
            by_code = PASS_METRICS[metric](done, workload)
            by_text = (
                put_into(metric.formula, symbols.of_pass(done, workload)) if by_code is not None else None
            )
            compared += by_code is not None
            assert by_text == (None if by_code is None else pytest.approx(by_code, rel=1e-12))
        assert compared

    @pytest.mark.parametrize(
        "metric", WORKER_METRICS | MEMORY_METRICS | MEMORY_PARTS, ids=lambda metric: metric.name
    )
    def test_of_a_worker(self, demo: Run, metric: Any) -> None:
        formula = (WORKER_METRICS | MEMORY_METRICS | MEMORY_PARTS)[metric]
        seen_so = [*demo.workers, *hand_made().workers]
        figures = [(formula(seen), put_into(metric.formula, symbols.of_worker(seen))) for seen in seen_so]
        assert any(by_code is not None for by_code, _ in figures)
        assert all(
            by_text == (None if by_code is None else pytest.approx(by_code)) for by_code, by_text in figures
        )

    @pytest.mark.parametrize("name", ["read_bytes_per_token", "bits_read_per_weight", "bandwidth_share"])
    def test_from_the_file(self, name: str) -> None:
        known = build(
            "b", read_bytes_per_token=91_000_000, kv_elements_per_token=11_520, bits_read_per_weight=5.35
        )
        device = runfile.Device(id="board", name="A board", memory_bandwidth_bytes_per_s=17.1e9)
        asked = case("r1", "b", workload=text(prompt=128, output=128), kv="q8_0")
        found = explain(run([asked], rounds("r1", [10, 11, 12]), builds=[known], device=device), "r1", name)
        assert put_into(found.formula, found.symbols) == pytest.approx(found.cell.value)

    @pytest.mark.parametrize("metric", ENERGY_METRICS, ids=lambda metric: metric.name)
    def test_of_energy(self, metric: Any) -> None:
        metered = Use(joules={"1": 2.5, "2": 3.0}, seconds={"1": 0.5, "2": 0.7}, tokens={"1": 10, "2": 12})
        spent = Spent(prompt=metered, generation=Use(joules={"1": 7.0}, seconds={"1": 1.5}, tokens={"1": 9}))
        by_text = put_into(metric.formula, symbols.of_energy(spent))
        assert by_text == pytest.approx(energy_value(metric, spent))

    def test_of_idle_power(self) -> None:
        assert put_into(IDLE_POWER.formula, {"idle_w": {"before": 2.0, "after": 3.0}}) == 2.5

    def test_with_the_numbers_put_in(self) -> None:
        done = text_pass(1, ttft_ms=100.1234, gap_ms=9.5, tokens=128)
        known = symbols.of_pass(done, text())
        assert worked("1000 / ((tn - t1) / (n - 1))", known) == "1000 / ((1306.623 - 100.123) / (128 - 1))"
        assert worked("median(first_tenth)", known) == "median(12 values, 9.500 to 9.500)"


class TestEveryCellOfTheDemo:
    """The cell that is explained is the cell that is reported, and its steps lead to it."""

    def test_it_is_the_one_of_the_report(
        self, explained_row: dict[str, Explanation], demo_report: Report
    ) -> None:
        for name, found in explained_row.items():
            row = next(row for row in demo_report.rows if row.id == found.row)
            assert found.cell == row.metrics[name]
            assert found.best == ((name, row.id) in demo_report.best)

    def test_the_steps_of_the_interval_lead_to_it(self, explained_row: dict[str, Explanation]) -> None:
        with_interval = [found for found in explained_row.values() if found.interval]
        assert len(with_interval) > 10
        for found in with_interval:
            steps, cell = found.interval, found.cell
            assert steps is not None
            assert steps.k is not None
            assert (steps.low, steps.high) == (steps.averages[steps.k - 1], steps.averages[-steps.k])
            assert steps.centre == statistics.median(steps.averages)
            assert [math.exp(log) for log in (steps.centre, steps.low, steps.high)] == [
                cell.value,
                cell.low,
                cell.high,
            ]
            assert steps.n == cell.processes == len([one for one in found.processes if one.log is not None])

    def test_the_value_of_a_process_is_the_median_of_its_counted_passes(
        self, explained_row: dict[str, Explanation]
    ) -> None:
        for process in explained_row["decode_tps"].processes:
            counted = [done.value for done in process.passes if done.left_out is None]
            assert process.value == statistics.median(value for value in counted if value is not None)

    def test_memory_is_the_largest(self, explained_row: dict[str, Explanation]) -> None:
        for metric in MEMORY_METRICS:
            found = explained_row[metric.name]
            values = [process.value for process in found.processes if process.value is not None]
            assert found.cell.value == max(values, default=None)

    def test_a_percentile_of_first_tokens_stands_at_its_rank(
        self, explained_row: dict[str, Explanation]
    ) -> None:
        found = explained_row["ttft_ms.p90"]
        assert found.order is not None
        assert len(found.order.samples) == 23
        assert found.order.samples[found.order.rank - 1] == found.cell.value
        assert found.order.bound_rank == 24

    def test_what_is_absent_has_its_reason(self, explained_row: dict[str, Explanation]) -> None:
        assert "not offered here" in shown(explained_row["power_w"])
        assert "the bandwidth of this device is not known" in shown(explained_row["bandwidth_share"])

    def test_all_are_shown_within_the_width(self, explained_row: dict[str, Explanation]) -> None:
        for found in explained_row.values():
            assert max(map(len, shown(found, width=80).splitlines())) <= 80

    def test_the_cell_is_written_as_in_the_report(
        self, explained_row: dict[str, Explanation], demo_report: Report
    ) -> None:
        [table] = tables(demo_report)
        found = explained_row["decode_tps"]
        cell = next(line for line in table.lines if line.names[0] == found.row).cells[1]
        written = f"{cell.value} {cell.spread}" + (" best" if cell.best else "")
        assert f"Cell      {written}\n" in shown(found)


def disturbed_run() -> Run:
    """Eight rounds; a disturbed pass, a round measured again, a failed worker, a pass that was cut short."""
    loud = text_pass(2, counters=counters(foreign_share=0.12))
    first = [worker("r1", n, warm_up(), text_pass(1), text_pass(2), text_pass(3)) for n in range(4)]
    return run(
        [case("r1")],
        first,
        [
            worker("r1", 4, warm_up(), text_pass(1), loud, text_pass(3)),
            worker("r1", 5, warm_up(), text_pass(1)),
            worker("r1", 5, warm_up(), text_pass(1), text_pass(2), attempt=1),
            failed("r1", 6, "crashed", "signal 11", warm_up(), text_pass(1), unfinished(2, tokens=3)),
            worker("r1", 7, warm_up(), text_pass(1)),
        ],
    )


class TestLeftOut:
    FOUND = explain(disturbed_run(), "r1", "decode_tps")

    def reasons(self) -> dict[tuple[int, int, int], str]:
        return {
            (process.round, process.attempt, done.number): done.left_out
            for process in self.FOUND.processes
            for done in process.passes
            if done.left_out and done.number > 0
        }

    def test_each_with_its_reason(self) -> None:
        assert self.reasons() == {
            (4, 0, 2): "others' CPU time 12% > 5%",
            (5, 0, 1): "round measured again, another attempt stands",
            (6, 0, 1): "the worker failed (crashed)",
            (6, 0, 2): "the worker did not finish it",
        }

    def test_the_finished_ones_are_those_that_the_cell_counts(self) -> None:
        unfinished_passes = 1
        assert len(self.reasons()) - unfinished_passes == self.FOUND.cell.excluded == 3

    def test_the_warm_ups_are_left_out_too(self) -> None:
        warm_ups = [done.left_out for one in self.FOUND.processes for done in one.passes if done.number == 0]
        assert warm_ups == ["the warm-up"] * 9

    def test_they_are_listed(self) -> None:
        lines = [line.strip() for line in shown(self.FOUND).splitlines()]
        assert "round 4, pass 2  others' CPU time 12% > 5%" in lines

    def test_where_all_were_disturbed_all_count(self) -> None:
        loud = counters(foreign_share=0.5)
        seen = run([case("r1")], rounds("r1", [10] * 8, counters=loud))
        found = explain(seen, "r1", "decode_tps")
        assert [done.left_out for one in found.processes for done in one.passes if done.number > 0] == [
            None
        ] * 24
        assert "nothing else, although other programs disturbed nearly all passes" in shown(found)


class TestShown:
    def test_long_tables_are_cut_in_the_middle_and_all_shows_everything(self, demo: Run) -> None:
        found = explain(demo, "r4", "decode_tps")
        assert "... 20 processes more: --all shows them" in shown(found)
        assert re.findall(r"round (\d+)  pass 1 ", shown(found)) == ["0", "1", "22"]
        assert len(re.findall(r"pass \d  1000 /", shown(found, every=True))) == 69

    def test_a_process_of_very_many_passes_is_cut_too(self) -> None:
        seen = run([case("r1")], rounds("r1", [10], passes=40))
        found = explain(seen, "r1", "decode_tps")
        assert "... 32 passes more: --all shows them" in shown(found)
        assert len(re.findall(r"pass \d+  1000 /", shown(found))) == 8
        assert len(re.findall(r"pass \d+  1000 /", shown(found, every=True))) == 40

    def test_few_rounds_are_told_to_be_too_few(self) -> None:
        found = shown(explain(run([case("r1")], rounds("r1", [10, 11, 12])), "r1", "decode_tps"))
        assert "too few for a signed-rank interval at 95%" in found
        assert "provisional" in found

    def test_one_round_has_a_value_and_no_interval(self) -> None:
        found = explain(run([case("r1")], rounds("r1", [10])), "r1", "decode_tps")
        assert found.interval is None
        assert "one process has no spread" in shown(found)

    def test_a_hostile_name_cannot_move_the_cursor(self) -> None:
        seen = run([case("r1", "evil\x1b[2J")], rounds("r1", [10] * 8))
        assert "\x1b" not in shown(explain(seen, "r1", "decode_tps"))

    @pytest.mark.parametrize(
        ("value", "said"),
        [(0, "0"), (1.5, "1.5000"), (113.7, "113.70"), (12345.6, "12346"), (0.00012345, "0.00012345")],
    )
    def test_numbers_have_the_digits_of_a_check_by_hand(self, value: float, said: str) -> None:
        assert precise(value) == said


class TestRatio:
    @pytest.mark.parametrize("name", ["decode_tps", "ttft_ms"])
    @pytest.mark.parametrize("row", ["r2", "r3", "r4", "r5", "r6"])
    def test_it_is_the_one_of_the_report(self, demo: Run, demo_report: Report, row: str, name: str) -> None:
        found = explain_ratio(demo, row, name, "r1")
        [reported] = [c for c in demo_report.comparisons if (c.metric, c.candidate) == (name, row)]
        assert found.comparison == reported
        steps = found.interval
        assert steps is not None
        assert [math.exp(log) for log in (steps.centre, steps.low, steps.high)] == [
            reported.ratio,
            reported.low,
            reported.high,
        ]
        assert [pair.log for pair in found.pairs] == pytest.approx(
            [math.log(pair.candidate / pair.base) for pair in found.pairs]
        )
        assert steps.n == len(found.pairs) == reported.pairs

    def test_the_level_says_what_it_is_corrected_for(self, demo: Run) -> None:
        found = explain_ratio(demo, "r2", "decode_tps", "r1").interval
        assert found is not None
        assert (found.looks, found.comparisons) == (4, 10)
        assert found.level == pytest.approx(1 - 0.018 / 10)

    @pytest.mark.parametrize(
        ("gap_ms", "ended", "why"),
        [
            (8.0, "rounds", "better: the whole interval lies above 1, and more is better"),
            (12.0, "rounds", "worse: the whole interval lies below 1, and more is better"),
            (10.0, "rounds", "same: the interval holds 1 and lies within x0.971 to x1.030"),
            (8.0, None, "undecided: the run did not reach its planned stop"),
        ],
    )
    def test_the_verdict_is_given_with_its_rule(self, gap_ms: float, ended: str | None, why: str) -> None:
        cases = [case("r1", threads=1), case("r2", threads=2)]
        seen = run(cases, rounds("r1", [10.0] * 8), rounds("r2", [gap_ms] * 8), ended=ended)
        assert why in shown_ratio(explain_ratio(seen, "r2", "decode_tps", "r1"))

    def test_a_metric_that_is_not_judged_has_no_ratio(self, demo: Run) -> None:
        with pytest.raises(
            UserError, match="'load_ms' of row r2 is not compared with row r1: accepted: decode_tps"
        ):
            explain_ratio(demo, "r2", "load_ms", "r1")

    def test_rows_that_were_asked_different_things_have_none(self) -> None:
        cases = [case("r1"), case("r2", workload=text("chat@2"))]
        seen = run(cases, rounds("r1", [10] * 8), rounds("r2", [10] * 8))
        with pytest.raises(UserError, match="r1 and r2 were asked different things"):
            explain_ratio(seen, "r2", "decode_tps", "r1")


class TestRefused:
    def test_an_unknown_metric_names_the_nearest(self, demo: Run) -> None:
        with pytest.raises(UserError, match="row r2 has no metric 'decod_tps': did you mean decode_tps"):
            explain(demo, "r2", "decod_tps")

    def test_an_unknown_row_names_those_there_are(self, demo: Run) -> None:
        with pytest.raises(UserError, match=r"no row '9' in this run: accepted: r1, r2, r3, r4, r5, r6$"):
            explain(demo, "9", "decode_tps")

    def test_a_row_that_failed_says_why(self) -> None:
        seen = run([case("r1")], [failed("r1", 0, "out_of_memory", "it needs 9 GiB")])
        with pytest.raises(UserError, match=r"row r1 has no figures \(out_of_memory: it needs 9 GiB\)"):
            explain(seen, "r1", "decode_tps")


class TestCommand:
    def test_text(self, edgeprof: Command) -> None:
        found = edgeprof("explain", DEMO_FILE, "r4", "decode_tps")
        assert found.code == 0
        assert found.out.startswith("decode_tps of r4 (SmolLM2-135M-Instruct.Q4_0, llama-cpp, chat@1)\n")

    def test_json_has_everything(self, edgeprof: Command) -> None:
        found = json.loads(edgeprof("explain", DEMO_FILE, "r4", "decode_tps", "-f", "json").out)
        assert found["schema"] == "edgeprof.explain/1"
        assert sum(len(process["passes"]) for process in found["processes"]) == 23 * 4
        assert len(found["interval"]["averages"]) == 276

    def test_a_ratio(self, edgeprof: Command) -> None:
        found = edgeprof("explain", DEMO_FILE, "r2", "decode_tps", "--base", "r1")
        assert "Cell      x1.028   0.940 to 1.107   undecided" in found.out

    def test_wrong_words_end_in_one_sentence(self, edgeprof: Command) -> None:
        assert "did you mean decode_tps?" in only_refusal(edgeprof("explain", DEMO_FILE, "r4", "decode_tp"))
        assert "no format 'jsn'" in only_refusal(
            edgeprof("explain", DEMO_FILE, "r4", "decode_tps", "-f", "jsn")
        )


def test_memory_is_explained_by_phase() -> None:
    seen = run([case("r1")], rounds("r1", [10] * 3, phases=memory(200)), device=BOARD)
    found = explain(seen, "r1", "peak_rss_bytes")
    assert found.processes[0].symbols == {
        "peak_rss": {"before_load": 30 * MIB, "loaded": 195 * MIB, "after_decode": 200 * MIB}
    }
    assert f"max({30 * MIB}, {195 * MIB}, {200 * MIB}) = {200 * MIB} B (200 MiB)" in shown(found)


def test_what_the_file_of_a_row_on_an_imitated_device_says() -> None:
    """Its report has those figures; nothing was timed."""
    imitated = replace(case("r1", "model"), route=Route(provider="X", simulated="an emulation"))
    seen = run([imitated], builds=[build("model", read_bytes_per_token=900, kv_elements_per_token=64)])
    seen = replace(seen, header=replace(seen.header, proofs=[Proof(case="r1", tokens=8, same=8)]))
    found = explain(seen, "r1", "read_bytes_per_token")
    assert found.cell.value is not None
    assert found.cell.value > 900
    timed = explain(seen, "r1", "decode_tps")
    assert timed.cell.value is None
    assert "withheld: an emulation says nothing" in (timed.cell.reason or "")
    assert all(shown(one, width=60, every=True) and encoded(one) for one in (found, timed))
    with pytest.raises(UserError, match="its device is imitated in software"):
        explain_ratio(seen, "r1", "decode_tps", "r1")


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(any_run(), st.data())
def test_any_cell_of_any_run_can_be_explained(seen: Run, data: st.DataObject) -> None:
    measured = [row for row in report(seen).rows if row.metrics]
    assume(measured)
    row = data.draw(st.sampled_from(measured))
    for name in data.draw(st.lists(st.sampled_from(sorted(row.metrics)), min_size=5, max_size=8)):
        found = explain(seen, row.id, name)
        assert found.cell == row.metrics[name]
        assert shown(found, width=60, every=True)
        assert encoded(found)
