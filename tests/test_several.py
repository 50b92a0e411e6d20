"""Several run files as one report, in every format.

The goldens several-110.txt and several.md are the whole of it; renew them as tests/test_render.py says.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
from pathlib import Path

import msgspec
import pytest
from markdown_it import MarkdownIt
from msgspec.structs import replace

from profiler.analyse.report import report
from profiler.analyse.source import Source
from profiler.render import formats, several_terminal, several_words
from profiler.render.csv import COLUMNS
from profiler.render.markdown_room import LIMIT
from profiler.render.several_markdown import MOST_DEVICES
from profiler.render.several_tables import split, tables
from profiler.runfile import Device
from tests.hand_made import hand_made
from tests.run_builder import text
from tests.several import LAPTOP, PI, QWEN, ROCK, SMOL, source, three
from tests.test_hostile_names import FOLDS, NASTY, hostile
from tests.test_report import JsonComparison, JsonRow

GOLDEN = Path(__file__).parent / "golden"
THREE = three()
EVERY = sorted(formats.SEVERAL)
HOSTILE = [
    Source(name="=" + NASTY, report=report(hostile()), run=hostile()),
    Source(name=NASTY, report=report(hostile()), run=hostile()),
    source("plain", replace(LAPTOP, cpu=NASTY), models=[SMOL]),
    source("board", replace(PI, name=NASTY), models=[SMOL], basis="imported"),
    source("blank", replace(PI, name=" "), models=[SMOL]),
]


def shown(sources: list[Source], name: str) -> str:
    return formats.render_sources(sources, name)


def many(count: int) -> list[Source]:
    return [
        source(f"{n}.jsonl", Device(id=f"board-{n}", name=f"Board {n}"), models=[SMOL]) for n in range(count)
    ]


class TestWhole:
    @pytest.mark.parametrize(("name", "file"), [("terminal", "several-110.txt"), ("markdown", "several.md")])
    def test_golden(self, name: str, file: str) -> None:
        found = shown(THREE, name)
        if os.environ.get("EDGEPROF_RENEW_GOLDEN"):
            (GOLDEN / file).write_text(found, "utf-8")
        assert found == (GOLDEN / file).read_text("utf-8")

    @pytest.mark.parametrize("name", EVERY)
    def test_twice_gives_the_same_bytes(self, name: str) -> None:
        assert shown(three(), name) == shown(THREE, name)

    @pytest.mark.parametrize("name", EVERY)
    def test_one_source_is_its_own_report(self, name: str) -> None:
        assert shown(THREE[:1], name) == formats.render(THREE[0].report, name)


class TestTables:
    def test_one_for_each_headline(self) -> None:
        assert [table.title for table in tables(THREE)] == [
            "TTFT in ms, chat@1: 128 tokens in, 5 out",
            "decode in tok/s, chat@1: 128 tokens in, 5 out",
            "peak memory, chat@1: 128 tokens in, 5 out",
        ]

    def test_what_was_not_measured_here_says_so_once_in_its_heading(self) -> None:
        decode = tables(THREE)[1]
        assert [title for title, _ in decode.figures] == [
            "Raspberry Pi 5", "Radxa ROCK 5B", "AMD Ryzen 7 7840U, imported",
        ]  # fmt: skip
        assert [(cell.value, cell.spread) for cell in decode.lines[0].cells] == [
            ("99.8", "±1.1%"), ("125", "±1.1%"), ("399", "±1.1%"),
        ]  # fmt: skip

    def test_in_a_mixed_column_each_figure_says_what_it_is(self) -> None:
        mixed = [source("a", models=[SMOL]), source("b", models=[QWEN], basis="imported")]
        assert [line.cells[0].spread for line in tables(mixed)[0].lines] == ["±1.1%", "±1.1% imported"]

    def test_a_failure_is_its_word_and_tells_its_story_once(self) -> None:
        found = tables(THREE)
        assert [cell.value for cell in found[0].lines[2].cells] == ["out of memory", "-", "426"]
        assert [bool(table.lines[2].story) for table in found] == [True, False, False]

    def test_engine_target_and_file_are_named_where_they_tell(self) -> None:
        [other] = tables([source("a", models=[SMOL]), source("b", models=[SMOL])])[:1]
        assert other.figures == [("Raspberry Pi 5 (a)", ""), ("Raspberry Pi 5 (b)", "")]

    def test_a_column_without_a_row_of_a_workload_is_left_out_of_its_tables(self) -> None:
        found = tables([source("a"), source("b", ROCK, workload=text("code@1"))])
        assert [len(table.figures) for table in found] == [1] * 6

    def test_many_columns_are_divided_evenly(self) -> None:
        table = tables(many(7))[0]
        parts = split(table, 6)
        assert [len(part.figures) for part in parts] == [4, 3]
        assert [part.title[-9:] for part in parts] == [" (1 of 2)", " (2 of 2)"]
        assert [title for part in parts for title in part.figures] == table.figures


class TestNotes:
    def told(self, *sources: Source) -> list[str]:
        return several_words.notes(sources)[len(several_words.OF_SEVERAL) :]

    def test_alike_files_need_none(self) -> None:
        assert self.told(source("a"), source("b", ROCK)) == []

    def test_settings_and_versions_that_are_not_the_same(self) -> None:
        assert self.told(*THREE)[1:] == [
            "threads of llama-cpp: 4 in pi5.jsonl and rk3588.jsonl; 8 in laptop.json",
            "llama-cpp-python of llama-cpp: 0.3.36 in pi5.jsonl and laptop.json; 0.3.30 in rk3588.jsonl",
        ]

    def test_workloads_of_one_name(self) -> None:
        assert self.told(source("a"), source("b", ROCK, workload=text(sha256="0ddba11"))) == [
            "chat@1 of b is not that of a (text: c0ffee -> 0ddba11): each has tables of its own"
        ]

    def test_a_build_that_two_files_have_on_one_machine(self) -> None:
        assert self.told(source("a"), source("b")) == [
            "a and b have the same build on Raspberry Pi 5: each has a column of its own, nothing is averaged"
        ]

    def test_one_run_given_twice(self) -> None:
        one = source("a")
        twice = replace(one, name="b")
        assert "a and b are the same run" in self.told(one, twice)

    def test_imported_figures_have_no_rounds_and_say_why(self) -> None:
        facts = dict(several_words.facts(THREE[2]))
        assert "Run" not in facts
        assert facts["Basis"].startswith("imported: told by another tool")

    def test_a_recorded_run_says_when_it_started(self) -> None:
        assert dict(several_words.facts(THREE[0]))["Recorded"] == (
            "run pi5.jsonl of edgeprof 0.1.0, started 2025-10-09 08:53 UTC"
        )


class TestTerminal:
    @pytest.mark.parametrize("width", [40, 60, 80, 110])
    def test_nothing_is_wider_and_no_figure_is_lost(self, width: int) -> None:
        found = several_terminal.render(THREE, width)
        assert max(map(len, found.splitlines())) <= width
        assert all(found.count(value) for value in ("99.8 ±1.1%", "125 ±1.1%", "399 ±1.1%"))

    def test_headings_are_broken_before_a_table_is_divided(self) -> None:
        assert "of 2)" not in several_terminal.render(THREE, 80)
        assert "of 2)" in several_terminal.render(many(6), 80)


class TestMarkdown:
    def test_it_is_shown_as_tables_and_folds(self) -> None:
        page = MarkdownIt("commonmark", {"html": True}).enable("table").render(shown(THREE, "markdown"))
        assert (page.count("<table>"), page.count("<details>"), page.count("</details>")) == (3, 3, 3)
        assert "<details><summary>pi5.jsonl: Raspberry Pi 5</summary>\n<ul>" in page

    def test_more_devices_make_more_tables(self) -> None:
        found = shown(many(MOST_DEVICES + 1), "markdown")
        assert found.count("### decode") == 2

    def test_it_has_room_for_very_many_files(self) -> None:
        one = source("a", models=[SMOL])
        names = [f"{n}-{'x' * 200}.jsonl" for n in range(200)]
        assert len(shown([replace(one, name=name) for name in names], "markdown")) < LIMIT


class TestCsv:
    def test_every_line_of_every_report_with_its_file_before_it(self) -> None:
        lines = list(csv.reader(io.StringIO(shown(THREE, "csv"))))
        alone = [
            [one.name, *line]
            for one in THREE
            for line in list(csv.reader(io.StringIO(formats.render(one.report, "csv"))))[1:]
        ]
        assert lines == [["run", *COLUMNS], *alone]


class TestJson:
    FOUND = json.loads(shown([source("a", models=[SMOL, QWEN]), source("b", ROCK)], "json"))

    def test_rows_and_comparisons_are_those_of_a_report(self) -> None:
        assert self.FOUND["schema"] == "edgeprof.reports/1"
        rows = msgspec.convert(self.FOUND["rows"], list[JsonRow])
        comparisons = msgspec.convert(self.FOUND["comparisons"], list[JsonComparison])
        assert [row.id for row in rows] == ["a:r1", "a:r2", "b:r1", "b:r2", "b:r3"]
        assert {(item.base, item.candidate) for item in comparisons} == {
            ("a:r1", "a:r2"), ("b:r1", "b:r2"), ("b:r1", "b:r3"),
        }  # fmt: skip

    def test_each_report_has_the_rest(self) -> None:
        names = {*report(hand_made()).__struct_fields__} - {"comparisons"}
        assert all(set(one) == names | {"name"} for one in self.FOUND["reports"])
        assert [one["rows"] for one in self.FOUND["reports"]] == [["a:r1", "a:r2"], ["b:r1", "b:r2", "b:r3"]]

    def test_the_matrix_speaks_of_rows(self) -> None:
        [grid] = self.FOUND["matrix"]["grids"]
        assert [[entry["row"] for entry in line] for line in grid["entries"]] == [
            ["a:r1", "b:r1"], ["a:r2", "b:r2"], [None, "b:r3"],
        ]  # fmt: skip


class TestHostileNames:
    @pytest.mark.parametrize("name", EVERY)
    def test_no_character_moves_the_cursor(self, name: str) -> None:
        assert "".join(shown(HOSTILE, name).split("\n")).isprintable()

    def test_markdown_makes_no_element_of_them(self) -> None:
        page = MarkdownIt("commonmark", {"html": True}).enable("table").render(shown(HOSTILE, "markdown"))
        ours = {"h2", "h3", "table", "thead", "tbody", "tr", "th", "td", "ul", "li", "p", "strong", *FOLDS}
        assert set(re.findall(r"<(\w+)", page)) == ours

    def test_csv_makes_no_formula_of_a_file(self) -> None:
        lines = list(csv.reader(io.StringIO(shown(HOSTILE, "csv"))))
        assert not any(line[0].startswith(("=", "+", "-", "@")) for line in lines)
