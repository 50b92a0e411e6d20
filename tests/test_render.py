"""What a reader sees: whole reports, and what stands where.

The goldens under tests/golden/ are whole reports of one hand-made run. After a wanted change of the output,
renew them with `EDGEPROF_RENEW_GOLDEN=1 pytest tests/test_render.py` and read the difference. Numbers of full
precision are kept to 9 digits: the last ones are the processor's own.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from profiler.analyse.report import report
from profiler.errors import UserError
from profiler.render import below, columns, formats, rows, terminal
from profiler.render.csv import COLUMNS
from profiler.runfile import Case
from tests.hand_made import hand_made
from tests.rendering import EVERY_FORMAT, rendered
from tests.run_builder import build, case, failed, pp, raw_pass, rounds, run, text, tg, worker

GOLDEN = Path(__file__).parent / "golden"


def few_digits(text: str) -> str:
    """Every number with a point to 9 digits; versions, which have two points, as they are."""
    number = r"(?<![\w.])\d+\.\d+(?:e[-+]?\d+)?(?![\w.])"
    return re.sub(number, lambda found: f"{float(found[0]):.9g}", text)


class TestGolden:
    @pytest.mark.parametrize(
        ("name", "file"),
        [
            ("terminal", "terminal-110.txt"),
            ("terminal at 60", "terminal-60.txt"),
            ("markdown", "report.md"),
            ("csv", "report.csv"),
            ("json", "report.json"),
        ],
    )
    def test_the_whole_text(self, name: str, file: str) -> None:
        found = rendered(report(hand_made()), name)
        found = few_digits(found) if name in ("csv", "json") else found
        if os.environ.get("EDGEPROF_RENEW_GOLDEN"):
            (GOLDEN / file).write_text(found, "utf-8")
        assert found == (GOLDEN / file).read_text("utf-8")

    @pytest.mark.parametrize("name", EVERY_FORMAT)
    def test_twice_gives_the_same_bytes(self, name: str) -> None:
        assert rendered(report(hand_made()), name) == rendered(report(hand_made()), name)


class TestTerminal:
    @pytest.mark.parametrize("width", [60, 80, 110])
    def test_nothing_is_wider_than_the_terminal(self, width: int) -> None:
        assert max(map(len, terminal.render(report(hand_made()), width).splitlines())) <= width

    def test_at_80_columns_it_is_still_a_table_without_the_spare_column(self) -> None:
        lines = terminal.render(report(hand_made()), 80).splitlines()
        assert "prefill" not in "".join(lines)
        assert any(line.startswith("r1   SmolLM2-135M   Q8_0") for line in lines)

    def test_a_long_failure_does_not_turn_the_table_into_cards(self) -> None:
        seen = run(
            [case("r1", threads=2), case("r2", threads=4)],
            rounds("r1", [10] * 8),
            [failed("r2", 0, "crashed", "words " * 60)],
        )
        assert "decode, tok/s" not in terminal.render(report(seen))

    def test_a_row_that_was_not_reached_is_not_called_failed(self) -> None:
        for name in ("terminal", "markdown", "csv"):
            shown = rendered(report(run([case("r1")], ended=None)), name)
            assert "not measured yet" in shown
            assert "failed" not in shown.removeprefix(",".join(COLUMNS)).replace("failure", "")

    def test_a_provisional_interval_wears_a_tilde_and_the_tilde_is_explained(self) -> None:
        few = terminal.render(report(run([case("r1")], rounds("r1", [10, 11, 12], ttft_ms=100))))
        many = terminal.render(report(run([case("r1")], rounds("r1", [10] * 8))))
        assert "~±" in few
        assert "~ marks a provisional one" in few
        assert "~" not in many


class TestRows:
    """What rows are called where they are spoken of."""

    def named(self, *cases: Case, quantizations: tuple[str | None, ...] = ("Q8_0", "Q4_0")) -> list[str]:
        builds = [build(name, q) for name, q in zip(("a", "b"), quantizations, strict=True)]
        return list(rows.names(report(run(cases, builds=builds))).values())

    def test_by_quantization_where_that_tells_the_build(self) -> None:
        assert self.named(case("r1", "a"), case("r2", "b")) == ["Q8_0", "Q4_0"]

    def test_by_build_where_it_does_not(self) -> None:
        assert self.named(case("r1", "a"), case("r2", "b"), quantizations=("Q8_0", "Q8_0")) == ["a", "b"]
        assert self.named(case("r1", "a"), case("r2", "b"), quantizations=("Q8_0", None)) == ["a", "b"]

    def test_with_engine_target_and_settings_that_vary(self) -> None:
        one = case("r1", "a", threads=2, mmap=True)
        other = case("r2", "a", engine="onnx", target="gpu", threads=2, mmap=False)
        assert self.named(one, other) == ["Q8_0, llama-cpp, cpu, mmap on", "Q8_0, onnx, gpu, mmap off"]

    def test_with_the_workload_where_there_are_several(self) -> None:
        assert self.named(case("r1", "a"), case("r2", "a", workload=tg(4))) == ["Q8_0, chat@1", "Q8_0, tg4"]

    def test_engine_and_target_are_columns_where_they_vary(self) -> None:
        cases = [case("r1", "a"), case("r2", "a", engine="onnx", target="gpu")]
        [table] = columns.tables(report(run(cases, builds=[build("a", "Q8_0")])))
        assert table.names == ["", "build", "quant", "engine", "target"]
        assert table.lines[1].names == ["r2", "a", "Q8_0", "onnx", "gpu"]

    def test_the_quantization_has_a_column_and_leaves_the_name(self) -> None:
        [table] = columns.tables(report(hand_made()))
        assert table.names == ["", "build", "quant", "threads"]
        assert table.lines[0].names == ["r1", "SmolLM2-135M", "Q8_0", "2"]

    def test_each_workload_has_its_table_and_its_columns(self) -> None:
        cases = [case("r1"), case("r2", workload=pp(512)), case("r3", workload=tg(4))]
        seen = [
            *rounds("r1", [10]),
            worker("r2", 0, raw_pass(1, evaluated_ms=1000)),
            worker("r3", 0, raw_pass(1, evaluated_ms=0, token_ms=[10, 20, 30, 40])),
        ]
        found = columns.tables(report(run(cases, seen)))
        assert [[title for title, _ in table.figures] for table in found] == [
            ["TTFT", "decode", "prefill", "peak memory"],
            ["pp", "peak memory"],
            ["tg", "peak memory"],
        ]
        assert [table.lines[0].cells[0].value for table in found] == ["100", "512", "100"]


class TestNotices:
    def told(self, measured_in_one_round: int, of: int) -> list[str]:
        cases = [case(f"r{n}", threads=n) for n in range(of)]
        several = [rounds(c.id, [10] * (1 if n < measured_in_one_round else 8)) for n, c in enumerate(cases)]
        return [line for line in below.notices(report(run(cases, *several))) if "1 round: " in line]

    def test_rows_are_named(self) -> None:
        [line] = self.told(2, of=3)
        assert line.startswith("r0, r1: 1 round: the intervals are provisional")

    def test_of_many_rows_they_are_counted(self) -> None:
        [line] = self.told(9, of=10)
        assert line.startswith("9 of 10 rows: 1 round")

    def test_of_all_rows_it_is_said_once(self) -> None:
        [line] = self.told(6, of=6)
        assert line.startswith("1 round")


class TestNotComparable:
    def test_it_is_said_in_the_place_of_a_ratio(self) -> None:
        cases = [case("r1"), case("r2", workload=text("chat@2"))]
        found = report(run(cases, rounds("r1", [10] * 8), rounds("r2", [10] * 8)), base="r1")
        assert "not comparable" in terminal.render(found)
        assert "| workload: chat@1 -\\> chat@2 | not comparable |" in formats.render(found, "markdown")


class TestChosen:
    @pytest.mark.parametrize(
        ("name", "file", "expected"),
        [
            (None, None, "terminal"),
            ("csv", None, "csv"),
            (None, "a.md", "markdown"),
            (None, "a.JSON", "json"),
            (None, "a.b.csv", "csv"),
            (None, "a.txt", "terminal"),
            ("json", "a.md", "json"),
        ],
    )
    def test_by_name_else_by_suffix(self, name: str | None, file: str | None, expected: str) -> None:
        assert formats.chosen(name, Path(file) if file else None) == expected

    def test_an_unknown_name_is_refused_with_the_nearest(self) -> None:
        with pytest.raises(UserError, match="there is no format 'markdwon': did you mean markdown"):
            formats.chosen("markdwon", None)

    @pytest.mark.parametrize("file", ["a", "a.docx", ".csv"])
    def test_an_unknown_suffix_is_refused(self, file: str) -> None:
        with pytest.raises(UserError, match="its suffix names no format"):
            formats.chosen(None, Path(file))
