"""Markdown finds room in a comment on GitHub, whatever a run has; what does not find it is named."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from markdown_it import MarkdownIt

from profiler.analyse.report import Report, report
from profiler.analyse.source import Source
from profiler.render import markdown, several_markdown
from profiler.render.markdown import TABLE_ROOM
from profiler.render.markdown_room import FOR_THE_REST, LIMIT, Section, fitted, folded, within
from profiler.runfile import Run, Worker
from tests.hand_made import hand_made
from tests.run_builder import MIB, board, build, case, memory, metered, rounds, run, sensor
from tests.test_hostile_names import NASTY

FACTS = {
    "versions": {"llama-cpp-python": "0.3.36"},
    "weights_bytes": 85 * MIB,
    "kv_bytes": 6 * MIB,
    "held_weights_bytes": 20 * MIB,
}
LONG = "Some-Family-of-Models-{}-with-a-rather-long-name-Instruct-2508"


def crowd(count: int, name: str = LONG, turns: int = 3) -> Run:
    """So many builds, each with energy, memory, the board and a comparison."""
    builds = [build(f"{name.format(n)}.Q4_K_M", "Q4_K_M") for n in range(count)]
    cases = [case(f"r{n}", one.id) for n, one in enumerate(builds)]
    return run(
        cases,
        *([full(one.id, n, turn) for turn in range(turns)] for n, one in enumerate(cases)),
        builds=builds,
        sensors=[sensor()],
        sha256={one.id: "ab" * 32 for one in builds},
    )


def full(row: str, number: int, turn: int) -> Worker:
    """A worker of which everything was recorded."""
    state = board(cpu_clock={"policy0": 2e9}, temperature={f"zone {n}": 50.0 for n in range(9)})
    return metered(row, turn, prompt_w=8 + number / 100, board_before=state, board_after=state,
                   phases=memory(200 + number), facts=FACTS)  # fmt: skip


@pytest.fixture(scope="module")
def hundred() -> Report:
    return report(crowd(100))


def page(text: str) -> str:
    shown: str = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
    return shown


class TestOrder:
    def test_what_is_read_first_stands_open(self) -> None:
        shown = markdown.render(report(hand_made()))
        assert re.findall(r"^(?:#+ |<details><summary>)(.*?)(?:</summary>)?$", shown, re.MULTILINE) == [
            "Latency on A board",
            "chat@1: 128 tokens in, 128 out",
            "Compared with r1 (Q8_0, threads 2)",
            "Memory",
            "Memory in MiB, parts of one moment: they add up to PSS = private + files",
            "Percentiles",
            "Gaps between tokens, ms, pooled over all positions",
            "Settings and environment",
            "Builds and hashes",
        ]

    def test_a_fold_has_tables_and_lists_inside(self) -> None:
        shown = page(markdown.render(report(hand_made())))
        assert shown.count("<details>") == shown.count("</details>") == 4
        assert "<summary>Percentiles</summary>\n<h3>Gaps" in shown
        assert "<summary>Builds and hashes</summary>\n<ul>\n<li>SmolLM2-135M-Q8_0: 144811072 bytes" in shown

    def test_a_name_in_a_summary_is_only_text(self) -> None:
        assert folded("<b>&\n", ["x"]) == "<details><summary>&lt;b&gt;&amp;?</summary>\n\nx\n\n</details>"


class TestHundredCases:
    def test_the_table_the_comparisons_and_the_hashes_are_whole(self, hundred: Report) -> None:
        shown = markdown.render(hundred)
        assert len(shown) < LIMIT
        assert len(re.findall(r"^\| r\d+ \| Some", shown, re.MULTILINE)) == 100
        assert len(re.findall(r"^\| r\d+ Some.* decode \|", shown, re.MULTILINE)) == 99
        assert shown.count("ab" * 32) == 100

    def test_what_is_left_out_is_named_with_where_it_is(self, hundred: Report) -> None:
        assert markdown.render(hundred).endswith(
            "\n\n**Left out**, because a comment on GitHub has fewer than 65,536 characters: energy. "
            "`-f json` has all of it, `-f csv` every figure.\n"
        )

    def test_every_row_of_a_table_has_all_its_cells(self, hundred: Report) -> None:
        for table in page(markdown.render(hundred)).split("<table>")[1:]:
            rows = table.split("</table>")[0].split("<tr>")[1:]
            assert len({len(re.findall("<t[hd][ >]", row)) for row in rows}) == 1

    @pytest.mark.parametrize(
        "name", ["{}" + "x" * 5000, "{}" + "<_*" * 500, "{}" + NASTY * 10, "\U0001f600" * 300 + "{}"]
    )
    def test_names_of_any_length(self, name: str) -> None:
        assert len(markdown.render(report(crowd(100, name, turns=1)))) < LIMIT

    def test_several_files_of_them(self, hundred: Report) -> None:
        sources = [Source(name=f"{n}.jsonl", report=hundred, run=None) for n in range(3)]
        shown = several_markdown.render(sources)
        assert len(shown) < LIMIT
        assert "**Left out**" in shown


class TestRoom:
    def sections(self, *sizes: tuple[int, int]) -> Sequence[Section]:
        return [Section(name=f"s{n}", text=str(n) * size, rank=rank) for n, (size, rank) in enumerate(sizes)]

    def test_what_fits_is_shown_in_its_order(self) -> None:
        assert fitted(self.sections((2, 5), (3, 0))) == "00\n\n111\n"

    def test_the_important_find_room_first_and_what_is_small_after_what_is_not(self) -> None:
        room = LIMIT - FOR_THE_REST
        shown = fitted(self.sections((room // 2, 3), (room // 2, 2), (room // 3, 1), (10, 4)))
        assert shown.startswith("1" * (room // 2) + "\n\n" + "2" * (room // 3) + "\n\n" + "3" * 10)
        assert "characters: s0. " in shown
        assert len(shown) < LIMIT

    def test_of_many_sections_some_are_named(self) -> None:
        assert "s0, s1, s2, s3, s4, s5, s6, s7, 12 more. " in fitted(self.sections(*[(LIMIT, 0)] * 20))

    def test_lines_are_whole_and_the_rest_is_counted(self) -> None:
        assert within(["aaaa", "bbbb", "cccc"], 10) == ["aaaa", "bbbb", "and 1 line more, which JSON has"]
        assert within(["aaaa", "bbbb"], 10) == ["aaaa", "bbbb"]

    def test_a_table_that_is_cut_says_so(self) -> None:
        cases = [case(f"r{n}", "x" * 70, threads=n) for n in range(400)]
        shown = markdown.render(report(run(cases, *(rounds(c.id, [10], passes=1) for c in cases))))
        rows = re.findall(r"^\| r\d+ \|.*$", shown, re.MULTILINE)
        assert sum(len(row) + 1 for row in rows) <= TABLE_ROOM
        assert f"\n\nThe first {len(rows)} of 400 rows are shown: JSON and CSV have all of them.\n" in shown
