"""Figures of full models from shapes of few layers: exact where the truth is a line, honest where it is not."""

from __future__ import annotations

import math
import random
import re

import msgspec
import pytest

from bench.extrapolation import ratios
from profiler.analyse import extrapolated_lines, shipping
from profiler.analyse.comparing import compare_files
from profiler.analyse.explanation import explain
from profiler.analyse.extrapolated_lines import (
    FEWER_EXPERTS_ERROR,
    FEWER_EXPERTS_PROMPT_ERROR,
    MODEL_ERROR,
    least_squares,
    lines,
)
from profiler.analyse.judged import Word
from profiler.analyse.matrix import matrix
from profiler.analyse.metrics import METRICS
from profiler.analyse.ratio_explanation import explain_ratio
from profiler.analyse.report import Row, report
from profiler.analyse.source import Source
from profiler.analyse.stopping import decided, half_width
from profiler.analyse.study import Study
from profiler.analyse.verdict import Verdict
from profiler.documents.limit_text import limit
from profiler.documents.limits import Limits, Use
from profiler.errors import UserError
from profiler.measure.stop import compares
from profiler.render import (
    compared_words,
    csv,
    explained,
    explained_ratio,
    json,
    markdown,
    rows,
    terminal,
    verdict_words,
)
from profiler.render.html import reproduce
from profiler.runfile import Run
from tests.extrapolated import (
    GIB,
    extrapolated_run,
    extrapolation,
    full_case,
    shape_cases,
    shape_rounds,
    straight,
    with_extrapolations,
)
from tests.run_builder import build, case, failed, rounds, run

FULL_MS = straight(80)
ALLOWED = 1 + MODEL_ERROR


def row(seen: Run, id: str = "x1") -> Row:
    return next(found for found in report(seen).rows if found.id == id)


class TestLine:
    def test_a_line_through_two_points_goes_through_them(self) -> None:
        assert least_squares([4, 8], [12.0, 20.0]) == pytest.approx((4.0, 2.0))

    def test_least_squares_of_three(self) -> None:
        """By hand: mean layers 14/3, mean time 7, slope (-8/3 x -3 - 2/3 x -1 + 10/3 x 4) / (56/3)."""
        assert least_squares([2, 4, 8], [4.0, 6.0, 11.0]) == pytest.approx((1.5, 33 / 28))

    def test_only_rounds_that_have_all_shapes(self) -> None:
        found = lines([4, 8], 80, [{0: 12.0, 1: 12.0}, {1: 20.0, 2: 20.0}], MODEL_ERROR)
        assert [line.round for line in found.rounds] == [1]


class TestFigures:
    def test_a_linear_machine_is_extrapolated_exactly(self) -> None:
        cells = row(extrapolated_run()).metrics
        assert cells["tpot_ms"].value == pytest.approx(FULL_MS)
        assert cells["decode_tps"].value == pytest.approx(1000 / FULL_MS)
        assert cells["ttft_ms"].value == pytest.approx(10 * FULL_MS)
        assert cells["prefill_tps"].value == pytest.approx(1000 * 128 / (10 * FULL_MS))

    def test_three_shapes_on_a_line_are_as_exact(self) -> None:
        cell = row(extrapolated_run(extrapolation([2, 4, 8]))).metrics["tpot_ms"]
        assert (cell.value, cell.high) == pytest.approx((FULL_MS, FULL_MS * ALLOWED))

    def test_without_noise_the_interval_is_the_allowance(self) -> None:
        cell = row(extrapolated_run()).metrics["decode_tps"]
        assert cell.low == pytest.approx(1000 / FULL_MS / ALLOWED)
        assert cell.high == pytest.approx(1000 / FULL_MS * ALLOWED)
        assert (cell.processes, cell.passes, cell.level, cell.provisional) == (8, 48, 0.95, False)

    def test_drift_of_the_whole_machine_cancels_inside_rounds(self) -> None:
        """A machine that is up to twice as slow: the value of each round moves with it, and no slope is bent."""
        drift = [1.0, 1.1, 1.3, 1.7, 1.4, 1.2, 2.0, 1.5]
        seen = extrapolated_run(noise=[drift, drift])
        found = Study(seen).lines(METRICS["tpot_ms"], full_case())
        assert [line.full for line in found.rounds] == pytest.approx([FULL_MS * slow for slow in drift])

    def test_its_basis_and_its_build(self) -> None:
        found = row(extrapolated_run())
        assert (found.basis, found.build, found.quantization) == ("extrapolated", "big-Q4_0", "Q4_0")

    def test_memory_is_what_the_engine_planned(self) -> None:
        cells = row(extrapolated_run()).metrics
        assert (cells["weights_bytes"].value, cells["kv_bytes"].value) == (40 * GIB, 6 * GIB)
        assert cells["compute_reserved_bytes"].value == GIB // 2
        assert cells["kv_bytes"].reason == "planned by the engine for the full model, not measured"

    def test_what_would_take_the_full_model_is_absent_with_a_reason(self) -> None:
        cells = row(extrapolated_run()).metrics
        for name in (
            "peak_rss_bytes",
            "pss_bytes",
            "load_ms",
            "first_ttft_ms",
            "itl_ms.p99",
            "ttft_ms.p90",
            "power_w",
        ):
            assert cells[name].value is None
            assert cells[name].reason == "of a full model that was not loaded"
        assert cells["text_bps"].reason == "a shape has no tokenizer of the model, and random text"

    def test_it_has_a_cell_for_every_metric_of_a_measured_row(self) -> None:
        found = report(extrapolated_run())
        assert set(found.rows[0].metrics) == set(found.rows[1].metrics)

    def test_a_memory_that_was_not_planned_says_why(self) -> None:
        none = {
            "weights_bytes": None,
            "kv_bytes": None,
            "compute_bytes": None,
            "not_planned": "the engine said no",
        }
        cells = row(extrapolated_run(extrapolation(memory=none))).metrics
        assert (cells["weights_bytes"].value, cells["weights_bytes"].reason) == (None, "the engine said no")


class TestHonesty:
    def test_two_shapes_that_do_not_rise_give_no_figure(self) -> None:
        cell = row(extrapolated_run(time_ms=lambda layers: 20.0 - layers)).metrics["decode_tps"]
        assert cell.value is None
        assert cell.reason == extrapolated_lines.NOT_RISING

    def test_curvature_is_seen_with_three_shapes(self) -> None:
        """The smallest fits the cache and is faster than its layers are elsewhere."""

        def cached(layers: int) -> float:
            return straight(layers) * (0.8 if layers == 2 else 1.0)

        found = row(extrapolated_run(extrapolation([2, 4, 8]), time_ms=cached))
        cell = found.metrics["tpot_ms"]
        assert cell.low is not None
        assert cell.high is not None
        assert cell.high / cell.low > ALLOWED**2 * 1.01
        assert cell.low < FULL_MS < cell.high
        notice = next(notice for notice in found.notices if notice.code == "extrapolated")
        assert "lie on no line" in notice.seen

    def test_one_round_below_zero_is_outlived(self) -> None:
        """On the times themselves, where the log of that round does not exist."""
        stalled = [[1.0] * 7 + [3.0], [1.0] * 8]
        seen = extrapolated_run(noise=stalled)
        assert Study(seen).lines(METRICS["tpot_ms"], full_case()).rounds[-1].full < 0
        cell = row(seen).metrics["tpot_ms"]
        assert cell.value == pytest.approx(FULL_MS)
        assert cell.high == pytest.approx(FULL_MS * ALLOWED)

    def test_a_middle_that_only_averages_pull_below_zero_is_refused(self) -> None:
        """The median round is above zero, the centre of three wild ones is not."""
        found = lines([4, 8], 80, [{0: 12.0, 1: 12.0, 2: 60.0}, {0: 20.0, 1: 20.0, 2: 20.0}], MODEL_ERROR)
        assert found.reason is None
        cell = extrapolated_lines.estimate(METRICS["decode_tps"], found, 0.95, 9, 0)
        assert (cell.value, cell.reason) == (None, extrapolated_lines.BELOW_ZERO)

    def test_mostly_below_zero_is_refused(self) -> None:
        noise = [[1.0] * 3 + [2.0] * 5, [1.0] * 8]
        assert row(extrapolated_run(noise=noise)).metrics["tpot_ms"].value is None

    @pytest.mark.parametrize("layers", [(4, 8), (2, 4, 8)])
    def test_the_interval_of_the_rounds_holds_in_simulation(self, layers: tuple[int, ...]) -> None:
        """95% without the allowance: a shared drift of 5% and 1.5% of each process, 300 sessions of 12 rounds.

        Three standard deviations of a count of 300 at 95% are 3.8 points.
        """
        draw, holds = random.Random(7), 0
        for _ in range(300):
            drift = [math.exp(draw.gauss(0, 0.05)) for _ in range(12)]
            times = [
                {n: straight(count) * slow * math.exp(draw.gauss(0, 0.015)) for n, slow in enumerate(drift)}
                for count in layers
            ]
            found = lines(layers, 80, times, MODEL_ERROR)
            cell = extrapolated_lines.estimate(
                METRICS["tpot_ms"], msgspec.structs.replace(found, error=0.0), 0.95, 36, 0
            )
            assert cell.low is not None
            assert cell.high is not None
            holds += cell.low <= FULL_MS <= cell.high
        assert holds / 300 > 0.91


class TestRows:
    def test_extrapolated_rows_come_first_and_shapes_last(self) -> None:
        other = case("r3", "small-Q4_0")
        seen = extrapolated_run(others=[(other, rounds("r3", [50.0] * 8))])
        assert [found.id for found in report(seen).rows] == ["x1", "r3", "r1", "r2"]
        assert [found.basis for found in report(seen).rows] == [
            "extrapolated",
            "measured",
            "measured",
            "measured",
        ]

    def test_the_notices_say_from_what_and_whether_it_would_fit(self) -> None:
        codes = {notice.code: notice.seen for notice in row(extrapolated_run()).notices}
        assert codes["extrapolated"] == (
            "extrapolated to 80 layers from shapes with random weights (row and layers: r1 4, r2 8); its intervals "
            "hold 3% for what a line may be wrong by"
        )
        assert codes["as_if_it_fitted"] == (
            "as if it fitted: the full model needs 46.5 GiB, and this machine has 8.0 GiB"
        )

    def test_what_is_assumed_is_told(self) -> None:
        seen = extrapolated_run(extrapolation(assumed=["16 of 256 experts"]))
        assert "16 of 256 experts" in [notice.seen for notice in row(seen).notices]

    def test_fewer_experts_widen_times_and_prompts_most(self) -> None:
        whole, fewer = (row(extrapolated_run(one)) for one in (extrapolation(), extrapolation(experts=16)))
        for name, error in (("tpot_ms", FEWER_EXPERTS_ERROR), ("ttft_ms", FEWER_EXPERTS_PROMPT_ERROR)):
            ratio = (1 + error) / (1 + MODEL_ERROR)
            assert fewer.metrics[name].high == pytest.approx((whole.metrics[name].high or 0) * ratio)
        assert (
            "15% and 25% for what a line may be wrong by, since its shapes have fewer"
            in fewer.notices[0].seen
        )

    def test_a_full_model_that_would_fit_has_no_such_notice(self) -> None:
        small = extrapolation(memory={"weights_bytes": GIB, "kv_bytes": 0, "compute_bytes": 0})
        codes = {notice.code: notice.seen for notice in row(extrapolated_run(small)).notices}
        assert "as_if_it_fitted" not in codes
        assert codes["would_fit"] == "the full model needs 1.0 GiB, and this machine has 8.0 GiB"

    def test_a_shape_that_failed_fails_the_row(self) -> None:
        whole = extrapolation()
        workers = [shape_rounds(whole)[0], [failed("r2", 0, "out_of_memory", "needs 9 GiB")]]
        seen = with_extrapolations(run(shape_cases(whole), *workers), [whole])
        found = row(seen)
        assert found.metrics == {}
        assert found.failure is not None
        assert found.failure.message == "its shape of 8 layers (r2): needs 9 GiB"


class TestComparisons:
    def test_shapes_are_compared_with_nothing(self) -> None:
        assert report(extrapolated_run()).comparisons == []

    def test_an_extrapolated_row_with_a_measured_one_is_wider_by_the_allowance(self) -> None:
        seen = extrapolated_run(others=[(case("r3", "small"), rounds("r3", [100.0] * 8, ttft_ms=1000))])
        item = next(found for found in report(seen).comparisons if found.metric == "decode_tps")
        assert (item.base, item.candidate, item.verdict) == ("x1", "r3", Verdict.BETTER)
        assert item.ratio == pytest.approx(1.64)
        assert (item.low, item.high) == pytest.approx((1.64 / ALLOWED, 1.64 * ALLOWED))

    def test_within_the_allowance_nothing_is_decided_and_no_rounds_are_advised(self) -> None:
        gap = FULL_MS * 1.02
        seen = extrapolated_run(others=[(case("r3", "small"), rounds("r3", [gap] * 8, ttft_ms=10 * gap))])
        item = next(found for found in report(seen).comparisons if found.metric == "decode_tps")
        assert item.verdict is Verdict.UNDECIDED
        assert item.rounds_needed is None
        assert item.rounds_reason is not None
        assert "extrapolated" in item.rounds_reason
        assert report(seen).best == []

    def test_two_full_models(self) -> None:
        other = extrapolation([4, 8], model="other-Q4_0", first=3, row="x2", of=40)
        seen = extrapolated_run(extrapolation(), other)
        found = {item.metric: item for item in report(seen).comparisons}
        assert found["decode_tps"].ratio == pytest.approx(FULL_MS / straight(40))
        assert found["decode_tps"].verdict is Verdict.BETTER

    def test_rows_of_one_run_and_of_two_by_the_command(self) -> None:
        """Across runs the allowance comes to that for what the machine did between them."""
        other = (case("r3", "small"), rounds("r3", [100.0] * 8, ttft_ms=1000))
        seen = extrapolated_run(others=[other])
        inside = compare_files(seen, rows=("x1", "r3"))
        assert [(pair.base_basis, pair.candidate_basis) for pair in inside.pairs] == [
            ("extrapolated", "measured")
        ]
        assert "x1 big-Q4_0 (extrapolated)" in compared_words.blocks(inside)[0].heading
        again = compare_files(seen, extrapolated_run(), rows=("x1", "x1"))
        assert [item.verdict for pair in inside.pairs for item in pair.comparisons] == [Verdict.BETTER] * 2
        between = next(
            item for pair in again.pairs for item in pair.comparisons if item.metric == "decode_tps"
        )
        assert between.ratio == pytest.approx(1)
        assert between.high is not None
        assert between.high > 1.4 * ALLOWED**2

    def test_a_shape_is_no_base(self) -> None:
        with pytest.raises(UserError, match="row r1 is a shape of few layers"):
            report(extrapolated_run(), base="r1")

    def test_a_run_of_one_model_stops_on_the_width_of_the_full_model(self) -> None:
        seen = extrapolated_run(noise=[[1.0, 1.02] * 4, [1.0, 0.98] * 4])
        width = half_width(seen)
        assert width is not None
        assert width > 0.03
        assert decided(seen) is None
        assert not compares(seen.header.plan)


class TestExplain:
    def test_the_steps_lead_to_the_cell(self) -> None:
        found = explain(extrapolated_run(), "x1", "decode_tps")
        assert found.extrapolation is not None
        line = found.extrapolation.lines.rounds[0]
        assert [*line.times, line.a, line.b] == pytest.approx([0.012, 0.02, 0.004, 0.002])
        assert found.cell == row(extrapolated_run()).metrics["decode_tps"]
        shown = terminal.as_text(explained.renderable(found, every=False), 100)
        assert "0.0040000 + 0.0020000 x 80 = 0.16400" in shown
        assert "r1  4 layers, big-Q4_0-4" in shown
        assert "bounds of the time / and x 1.03 (3.0%)" in shown

    def test_an_absent_figure_has_no_steps(self) -> None:
        found = explain(extrapolated_run(), "x1", "pss_bytes")
        assert (found.extrapolation, found.interval, found.processes) == (None, None, [])
        assert "not loaded" in terminal.as_text(explained.renderable(found, every=False), 100)

    @pytest.mark.parametrize("name", sorted(row(extrapolated_run()).metrics))
    def test_every_cell_can_be_explained(self, name: str) -> None:
        terminal.as_text(explained.renderable(explain(extrapolated_run(), "x1", name), every=True), 100)

    def test_a_ratio_says_by_how_much_it_was_widened(self) -> None:
        seen = extrapolated_run(others=[(case("r3", "small"), rounds("r3", [100.0] * 8))])
        found = explain_ratio(seen, "r3", "decode_tps", "x1")
        assert found.widened_by == pytest.approx(MODEL_ERROR)
        assert "x 1.03" in terminal.as_text(explained_ratio.renderable(found, every=False), 100)


class TestRenderers:
    def test_the_basis_stands_beside_every_figure(self) -> None:
        found = report(extrapolated_run())
        shown = terminal.render(found)
        assert re.search(r"x1 +big +Q4_0 +extrapolated +1,?640", shown)
        assert "(shape with 4 of 80 layers)" in shown
        assert "as if the model fitted in memory" in " ".join(shown.split())
        assert "extrapolated" in markdown.render(found)
        assert all(
            line.split(",")[8] == "extrapolated"
            for line in csv.render(found).splitlines()
            if line[:2] == "x1"
        )
        assert '"basis": "extrapolated"' in json.render(found)

    def test_a_matrix_has_the_full_model_and_no_shape(self) -> None:
        seen = extrapolated_run()
        (grid,) = matrix([Source(name="a.jsonl", report=report(seen), run=seen)]).grids
        assert [family.build for family in grid.families] == ["big-Q4_0"]
        assert grid.entries[0][0].basis == "extrapolated"

    def test_the_command_to_measure_it_again(self) -> None:
        seen = extrapolated_run()
        commands = reproduce.blocks(Source(name="a.jsonl", report=report(seen), run=seen))[0].commands
        assert "edgeprof run big --workload" in commands[0]
        assert "--as-shape --quant Q4_0 --layers 4,8" in commands[0].replace(" \\\n ", "")

    def test_what_the_rows_are_called(self) -> None:
        found = report(extrapolated_run())
        assert {row.id for row in found.whole} == {"x1"}
        assert rows.names(found)["x1"] == "big-Q4_0, extrapolated"
        assert rows.names(found)["r1"] == "big-Q4_0-4, shape with 4 of 80 layers"

    def test_a_ship_rests_on_extrapolated_figures(self) -> None:
        small = extrapolation(memory={"weights_bytes": GIB, "kv_bytes": 0, "compute_bytes": 0})
        judged = verdict(extrapolated_run(small), "decode_tps >= 5 tok/s")
        assert [item.row for item in judged.judgements] == ["x1"]
        assert judged.word is Word.SHIP
        assert (
            verdict_words.answer(judged) == "Ship: the one row keeps every limit (by extrapolated figures)."
        )
        (block,) = verdict_words.blocks(judged)
        assert block.stories == [
            "rests on figures that are extrapolated, not measured here: as if the model fitted in memory"
        ]

    def test_what_does_not_fit_does_not_ship(self) -> None:
        judged = verdict(extrapolated_run(), "decode_tps >= 5 tok/s")
        assert judged.word is Word.UNDECIDED
        assert "needs 46.5 GiB" in judged.judgements[0].why

    def test_a_limit_on_memory_is_not_decided(self) -> None:
        assert verdict(extrapolated_run(), "peak_rss_bytes <= 8 GiB").word is Word.UNDECIDED


def test_the_bench_forms_the_ratio_to_the_full_shape_inside_rounds() -> None:
    """A full shape that is 2% slower than its line, on a machine that drifts."""
    drift = [1.0, 1.1, 1.3, 1.7, 1.4, 1.2, 2.0, 1.5]
    gaps = [FULL_MS * slow * 1.02 for slow in drift]
    full = (case("r3", "full"), rounds("r3", gaps, ttft_ms=[10 * gap for gap in gaps]))
    found = {one.metric: one for one in ratios(extrapolated_run(noise=[drift, drift], others=[full]))}
    assert found["decode_tps"].ratio == pytest.approx(1.02)
    assert found["ttft_ms"].ratio == pytest.approx(1 / 1.02)
    assert all(one.passes for one in found.values())


class TestRunFile:
    def test_it_is_read_as_it_was_written(self) -> None:
        plan = extrapolated_run().header.plan
        assert msgspec.json.decode(msgspec.json.encode(plan), type=type(plan)) == plan

    def test_a_plan_of_before_has_none(self) -> None:
        plan = run([case("r1")], rounds("r1", [10.0])).header.plan
        written = msgspec.json.decode(msgspec.json.encode(plan))
        del written["extrapolations"]
        assert msgspec.convert(written, type(plan)).extrapolations == []

    @pytest.mark.parametrize(
        "changed",
        [
            {"layers": 8},
            {"full": build("another")},
            {"full": build("big-Q4_0-4")},
            {"shapes": list(reversed(extrapolation().shapes))},
        ],
    )
    def test_one_that_contradicts_its_plan_is_refused(self, changed: dict[str, object]) -> None:
        whole = msgspec.structs.replace(extrapolation(), **changed)
        seen = with_extrapolations(extrapolated_run(), [whole])
        with pytest.raises(UserError, match="it was altered"):
            report(seen)

    def test_one_of_unlike_cases_is_refused(self) -> None:
        seen = extrapolated_run(extrapolation(settings={"threads": 2}))
        with pytest.raises(UserError, match="it was altered"):
            report(with_extrapolations(seen, [extrapolation(settings={"threads": 4})]))


def verdict(seen: Run, *limits: str) -> shipping.Verdicts:
    use = Use(workload=None, device=None, limits=[limit(text, "use[0]") for text in limits])
    limited = Limits(name="own.toml", title="T", question="Q?", uses=[use])
    return shipping.verdicts([Source(name="a.jsonl", report=report(seen), run=seen)], limited)
