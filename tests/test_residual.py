"""What was predicted before a run beside what it measured: residuals, ranges, the limit, and when it is far off."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from profiler.analyse.explanation import explain
from profiler.analyse.notices import Notice
from profiler.analyse.report import Row, report
from profiler.analyse.residual import Residual
from profiler.analyse.source import Source
from profiler.errors import UserError
from profiler.render import explained, formats, html
from profiler.render import prediction as shown
from profiler.render.terminal import as_text
from profiler.runfile import Case, Predicted, PredictedFigure, Run, decode
from tests.bundles import content
from tests.rendering import EVERY_FORMAT, rendered
from tests.run_builder import case, failed, pp, raw_pass, rounds, run, tg, worker

SOURCE = "calibration of this machine, 2026-11-29"
EIGHT = [10.0] * 8
"""Gaps of 10 ms: 100 tokens per second, without any spread."""


def figure(value: float, low: float | None = None, high: float | None = None) -> PredictedFigure:
    return PredictedFigure(value=value, low=low, high=high, level=None if low is None else 0.95)


def told(id: str = "r1", **said: Any) -> Predicted:
    """A prediction of decode at 110 tokens per second, unless `said` has other figures."""
    known: dict[str, Any] = {"figures": {"decode_tps": figure(110, 95, 125)}} | said
    return Predicted(case=id, source=SOURCE, **known)


def predicted(seen: Run, *predictions: Predicted) -> Run:
    return replace(seen, header=replace(seen.header, predictions=list(predictions)))


def one_row(*predictions: Predicted, gaps: Sequence[float] = EIGHT, of: Case | None = None) -> Row:
    [row] = report(predicted(run([of or case("r1")], rounds("r1", gaps)), *predictions)).rows
    return row


def residual(value: PredictedFigure, gaps: Sequence[float] = EIGHT) -> Residual:
    row = one_row(told(figures={"decode_tps": value}), gaps=gaps)
    assert row.prediction is not None
    return row.prediction.residuals["decode_tps"]


class TestResidual:
    def test_it_is_measured_over_predicted_less_one(self) -> None:
        found = residual(figure(110, 95, 125))
        assert (found.unit, found.predicted, found.low, found.high, found.level) == (
            "tok/s",
            110,
            95,
            125,
            0.95,
        )
        assert found.measured == pytest.approx(100)
        assert found.residual == pytest.approx(-1 / 11)

    @pytest.mark.parametrize(
        ("low", "high", "inside", "overlaps"),
        [(95, 125, True, True), (108, 125, False, True), (120, 130, False, False), (None, None, None, None)],
    )
    def test_whether_it_lies_in_the_range_and_whether_its_interval_reaches_there(
        self, low: float | None, high: float | None, inside: bool | None, overlaps: bool | None
    ) -> None:
        """Gaps of 9 to 11 ms: 91 to 111 tokens per second around 100."""
        found = residual(figure(high or 110, low, high), [9, 9, 9, 10, 10, 11, 11, 11])
        assert (found.inside, found.overlaps) == (inside, overlaps)

    def test_the_share_of_the_limit_is_that_of_the_decode_speed(self) -> None:
        row = one_row(told(limit_tps=160.0, limited_by="memory bandwidth"))
        assert row.prediction is not None
        assert row.prediction.share_of_limit == pytest.approx(100 / 160)
        assert (row.prediction.source, row.prediction.limited_by) == (SOURCE, "memory bandwidth")

    def test_raw_workloads_have_their_own_figures(self) -> None:
        cases = [case("r1", workload=pp(512)), case("r2", workload=tg(4))]
        workers = [worker("r1", n, raw_pass(evaluated_ms=512)) for n in range(8)]
        workers += [worker("r2", n, raw_pass(evaluated_ms=0, token_ms=[10, 20, 30, 40])) for n in range(8)]
        both = {"pp_tps": figure(800), "tg_tps": figure(80), "decode_tps": figure(9)}
        seen = predicted(
            run(cases, workers), told("r1", figures=both), told("r2", figures=both, limit_tps=200)
        )
        found = [row.prediction for row in report(seen).rows if row.prediction]
        assert [{name: one.residual for name, one in each.residuals.items()} for each in found] == [
            {"pp_tps": pytest.approx(0.25), "tg_tps": None},
            {"pp_tps": None, "tg_tps": pytest.approx(0.25)},
        ]
        assert [each.share_of_limit for each in found] == [None, pytest.approx(0.5)]

    def test_a_row_without_figures_keeps_what_was_predicted(self) -> None:
        seen = run([case("r1")], [failed("r1", 0, "crashed", "gone")])
        [row] = report(predicted(seen, told(limit_tps=160.0))).rows
        assert row.prediction is not None
        found = row.prediction.residuals["decode_tps"]
        assert (found.predicted, found.measured, found.residual, found.inside) == (110, None, None, None)
        assert (row.prediction.share_of_limit, row.notices) == (None, [])

    def test_a_reason_stands_where_nothing_was_predicted(self) -> None:
        row = one_row(told(figures={}, reason="only llama.cpp on the CPU is calibrated"))
        assert row.prediction is not None
        assert row.prediction.residuals == {}
        assert row.prediction.reason == "only llama.cpp on the CPU is calibrated"

    def test_without_a_prediction_there_is_none(self) -> None:
        assert one_row().prediction is None


def unlike(row: Row) -> list[Notice]:
    return [notice for notice in row.notices if notice.code == "unlike_prediction"]


class TestNotice:
    def test_far_slower(self) -> None:
        [found] = unlike(one_row(told(figures={"decode_tps": figure(150, 140, 160)})))
        assert found.seen == (
            "decode is 33% slower than predicted: 100 tok/s, not 150 (140 to 160) by " + SOURCE
        )
        assert "`edgeprof doctor`" in found.advice
        assert "calibrate anew" in found.advice

    def test_far_faster(self) -> None:
        [found] = unlike(one_row(told(figures={"decode_tps": figure(50, 45, 55)})))
        assert found.seen.startswith(
            "decode is 100% faster than predicted: 100 tok/s, not 50.0 (45.0 to 55.0)"
        )
        assert "throttled" not in found.advice

    def test_a_first_token_is_longer_and_one_figure_speaks_for_all(self) -> None:
        first = {"prefill_tps": figure(4000, 3900, 4100), "ttft_ms": figure(50, 45, 55)}
        [found] = unlike(one_row(told(figures=first)))
        assert found.seen.startswith("TTFT is 100% longer than predicted: 100 ms, not 50.0 (45.0 to 55.0)")

    @pytest.mark.parametrize(
        "near",
        [
            figure(110, 95, 125),
            figure(120, 105, 135),
            figure(150),
            figure(101, 100.9, 101.1),
            figure(200, 101, 210),
        ],
        ids=["inside", "outside, not far", "no range", "within a tenth", "a range that wide"],
    )
    def test_what_is_near_is_not_told(self, near: PredictedFigure) -> None:
        assert unlike(one_row(told(figures={"decode_tps": near}))) == []

    def test_an_interval_that_reaches_the_range_is_not_far(self) -> None:
        """Three rounds of very different speeds tell too little."""
        assert unlike(one_row(told(figures={"decode_tps": figure(150, 140, 160)}), gaps=[10, 20, 5])) == []


def compared() -> Run:
    """Two rows that were predicted, one of which failed, and one that was not."""
    cases = [case("r1", threads=2), case("r2", threads=4), case("r3", engine="ort-genai")]
    figures = {"ttft_ms": figure(90, 80, 99), "decode_tps": figure(110, 95, 125)}
    return predicted(
        run(cases, rounds("r1", EIGHT), [failed("r2", 0, "crashed", "gone")], rounds("r3", EIGHT)),
        told("r1", figures=figures, limit_tps=125.0, limited_by="memory bandwidth"),
        told("r2", figures={"decode_tps": figure(200, 190, 210)}),
        told("r3", figures={}, reason="only llama.cpp on the CPU is calibrated"),
    )


class TestShown:
    def test_a_line_for_each_row_and_figure(self) -> None:
        [found] = shown.sections(report(compared()))
        assert [line.names for line in found.table.lines] == [
            ["r1", "TTFT, ms"],
            ["r1", "decode, tok/s"],
            ["r2", "decode, tok/s"],
        ]
        assert [[f"{c.value} {c.spread}".strip() for c in line.cells] for line in found.table.lines] == [
            ["90.0 (80.0 to 99.0)", "100 ±0%", "+11% outside", "-"],
            ["110 (95.0 to 125)", "100 ±0%", "-9.1% inside", "80% of 125"],
            ["200 (190 to 210)", "-", "-", "-"],
        ]
        assert dict(found.lines) == {
            "Predicted": f"before the run, by {SOURCE}",
            "Ranges": "1 of 2 measured values lie inside; of like cases 95% do",
            "Limited by": "r1: memory bandwidth",
            "Share": shown.SHARE,
            "Not predicted": "r3: only llama.cpp on the CPU is calibrated",
        }

    @pytest.mark.parametrize("name", [name for name in EVERY_FORMAT if name not in ("csv", "json")])
    def test_in_words(self, name: str) -> None:
        text = " ".join(rendered(report(compared()), name).replace("\\", "").split())
        for part in (
            shown.TITLE,
            "-9.1%",
            "inside",
            "80%",
            SOURCE,
            "only llama.cpp on the CPU is calibrated",
        ):
            assert part in text

    def test_in_json(self) -> None:
        first, *_, last = json.loads(formats.render(report(compared()), "json"))["rows"]
        assert first["prediction"]["residuals"]["decode_tps"]["residual"] == pytest.approx(-1 / 11)
        assert first["prediction"]["share_of_limit"] == pytest.approx(0.8)
        assert last["prediction"]["reason"] == "only llama.cpp on the CPU is calibrated"

    def test_on_a_page(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(html, "charts", lambda source: [])
        seen = compared()
        page = html.render([Source(name="run.jsonl", report=report(seen), run=seen)])
        assert '<section id="prediction"' in page
        assert page.index('id="speed"') < page.index('id="prediction"') < page.index('id="settings"')
        assert SOURCE in page

    def test_csv_has_the_lines_it_always_had(self) -> None:
        seen = compared()
        without = predicted(seen)
        assert formats.render(report(seen), "csv") == formats.render(report(without), "csv")

    @pytest.mark.parametrize("name", EVERY_FORMAT)
    def test_nothing_where_nothing_was_predicted(self, name: str) -> None:
        text = rendered(report(predicted(compared())), name)
        assert "predict" not in text.lower()
        only_reasons = predicted(compared(), told("r3", figures={}, reason="not calibrated"))
        assert shown.sections(report(only_reasons)) == []

    def test_explained(self) -> None:
        text = as_text(explained.renderable(explain(compared(), "r1", "decode_tps"), every=False), 110)
        assert f"110 tok/s, range 95.0 to 125, told before the run by {SOURCE}" in text
        assert "residual: 100 / 110 - 1 = -9.1%, inside of the range" in text
        assert "Prediction" not in as_text(
            explained.renderable(explain(compared(), "r1", "load_ms"), every=False), 110
        )

    def test_what_a_stranger_wrote_moves_no_cursor_and_makes_no_element(self) -> None:
        nasty = "\x1b[2J<script>alert(1)</script>\u202e|`*"
        said = told(limited_by=nasty, reason=nasty, figures={"decode_tps": figure(150, 140, 160)})
        seen = predicted(run([case("r1")], rounds("r1", EIGHT)), replace(said, source=nasty))
        for name in EVERY_FORMAT:
            assert "".join(rendered(report(seen), name).split("\n")).isprintable()
        assert "<script>alert" not in formats.render(report(seen), "markdown").replace("\\<", "")


def edited(**fields: Any) -> bytes:
    """The run file of one row whose prediction has other fields."""
    header, *rest = content(predicted(run([case("r1")], rounds("r1", EIGHT)), told())).splitlines()
    record = json.loads(header)
    record["predictions"][0] |= fields
    return b"\n".join([json.dumps(record).encode(), *rest, b""])


class TestRunFile:
    def test_it_is_read_as_it_was_written(self) -> None:
        assert decode("run.jsonl", edited()).header.predictions == [told()]

    def test_a_file_from_before_has_none(self) -> None:
        header, *rest = content(run([case("r1")], rounds("r1", EIGHT))).splitlines()
        record = json.loads(header)
        del record["predictions"]
        old = decode("run.jsonl", b"\n".join([json.dumps(record).encode(), *rest, b""]))
        assert old.header.predictions == []
        assert report(old).rows[0].prediction is None

    @pytest.mark.parametrize(
        "fields",
        [
            {"case": "x" * 257},
            {"source": "x" * 1001},
            {"source": None},
            {"reason": "x" * 1001},
            {"limited_by": "x" * 257},
            {"limit_tps": 0},
            {"limit_tps": 1e300},
            {"limit_tps": -1},
            {"new": 1},
            {"figures": {"load_ms": {"value": 1}}},
            {"figures": {"decode_tps\n": {"value": 1}}},
            {"figures": {"decode_tps": {}}},
            {"figures": {"decode_tps": {"value": 0}}},
            {"figures": {"decode_tps": {"value": 1e-300}}},
            {"figures": {"decode_tps": {"value": "100"}}},
            {"figures": {"decode_tps": {"value": 100, "level": 1.5}}},
            {"figures": {"decode_tps": {"value": 100, "low": 101, "high": 120}}},
            {"figures": {"decode_tps": {"value": 100, "low": 80, "high": 99}}},
            {"figures": {"decode_tps": {"value": 100, "high": 99}}},
            {"figures": {"decode_tps": {"value": 100, "unit": "tok/s"}}},
            {"figures": [1]},
        ],
        ids=str,
    )
    def test_what_no_prediction_may_hold_is_refused(self, fields: dict[str, Any]) -> None:
        with pytest.raises(UserError, match=r"^run\.jsonl line 1 is not part of a run file: "):
            decode("run.jsonl", edited(**fields))

    def test_a_prediction_of_no_case_and_one_told_twice(self) -> None:
        seen = run([case("r1")], rounds("r1", EIGHT))
        with pytest.raises(UserError, match="speaks of a case 'r9' that its plan does not have"):
            report(predicted(seen, told("r9")))
        with pytest.raises(UserError, match="has two predictions 'r1': it was altered"):
            report(predicted(seen, told(), told()))

    @pytest.mark.parametrize("value", [1e-15, 1e15])
    def test_figures_at_the_edge_stay_numbers(self, value: float) -> None:
        row = one_row(told(figures={"decode_tps": figure(value, value, value)}, limit_tps=value))
        text = formats.render(
            report(
                predicted(
                    run([case("r1")], rounds("r1", EIGHT)),
                    told(figures={"decode_tps": figure(value, value, value)}),
                )
            ),
            "json",
        )
        json.loads(text, parse_constant=pytest.fail)
        assert row.prediction is not None
        assert len(unlike(row)) == 1
