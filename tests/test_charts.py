"""Charts: what they say, that they are plain pictures in the page's colours, and that no name can do anything there."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest
from msgspec.structs import replace

from profiler.analyse.report import Report, report
from profiler.analyse.source import Source
from profiler.errors import UserError
from profiler.render import svg
from profiler.render.charts import Chart, charts, lines, memory, palette, rows
from profiler.render.charts.drawing import KEPT, PAINT
from profiler.render.charts.picture import HATCHES
from profiler.runfile import Run
from tests.hand_made import hand_made
from tests.run_builder import case, counters, idle, metered, rounds, run, sensor, text_pass, tg, worker
from tests.test_hostile_names import hostile
from tests.test_sustained import after, course

SVG = "{http://www.w3.org/2000/svg}"
OWN = {"svg", "title", "desc", "defs", "pattern"} | set(KEPT)


def of(seen: Run) -> Source:
    return Source(name="run.jsonl", report=report(seen), run=seen)


def metered_run() -> Run:
    cases = [case("r1", "tiny-Q4_0"), case("r2", "tiny-Q8_0")]
    watts = {"r1": 5.0, "r2": 7.0}
    return run(
        cases,
        *([metered(name, n, generation_w=w + n / 10) for n in range(8)] for name, w in watts.items()),
        sensors=[sensor()],
        idle=[idle("before", 1, at_ms=-3000), idle("after", 1, at_ms=20_000)],
    )


def sustained_run() -> Run:
    """Five minutes: 100 tok/s, from the second minute on 80 with a lower clock; others disturb it for a while."""
    slow = after(120, 1.25)
    passes = course(
        slow,
        ghz=lambda now_s: 2.4 / slow(now_s),
        degrees=lambda _: 71.0,
        foreign=lambda now_s: 0.3 if 30 <= now_s < 36 else 0.0,
    )
    cases = [replace(case("r1"), workload=replace(case("r1").workload, output_tokens=101))]
    made = run(cases, [worker("r1", 0, *passes)], planned=1)
    return replace(made, header=replace(made.header, plan=replace(made.header.plan, sustained_s=300.0)))


def deep_run() -> Run:
    """The raw method at two depths, by names that differ in nothing else."""
    shallow, deep = tg(4), replace(tg(4), id="tg4@d512", depth=512)
    cases = [case("r1", workload=shallow), case("r2", workload=deep)]
    speeds = {"r1": 10, "r2": 20}
    return run(cases, *(rounds(name, [gap] * 8, ttft_ms=gap, tokens=4) for name, gap in speeds.items()))


@pytest.fixture(scope="module")
def made() -> dict[str, list[Chart]]:
    runs = {
        "sustained": sustained_run(),
        "metered": metered_run(),
        "depths": deep_run(),
        "hand-made": hand_made(),
    }
    return {name: charts(of(seen)) for name, seen in runs.items()}


@pytest.fixture(scope="module")
def drawn(made: dict[str, list[Chart]]) -> dict[str, Chart]:
    """Every kind of chart once."""
    return {chart.name: chart for several in made.values() for chart in several}


def pictures(found: Sequence[Chart]) -> list[str]:
    return [text for chart in found for text in (chart.wide, chart.narrow)]


def elements(text: str) -> Iterator[Element]:
    return ElementTree.fromstring(text).iter()


class TestWhatThereIs:
    def test_a_run_has_the_charts_it_has_figures_for(self, made: dict[str, list[Chart]]) -> None:
        assert {name: [chart.name for chart in found] for name, found in made.items()} == {
            "sustained": ["ttft", "decode", "depth", "gaps", "sustained", "intrusions"],
            "metered": ["ttft", "decode", "depth", "gaps", "energy", "intrusions"],
            "depths": ["tg", "depth", "intrusions"],
            "hand-made": ["ttft", "decode", "depth", "gaps", "memory", "bandwidth", "intrusions"],
        }

    def test_imported_figures_without_stamps_have_fewer(self) -> None:
        found = charts(Source(name="x", report=report(hand_made()), run=None))
        assert [chart.name for chart in found] == ["ttft", "decode", "memory", "bandwidth"]


class TestWhatIsSaid:
    def test_who_is_best_beyond_doubt(self, drawn: dict[str, Chart]) -> None:
        assert drawn["ttft"].says == "r3 answers first: 456 ms (451 to 461)."

    def test_of_one_row_for_each_workload(self, made: dict[str, list[Chart]]) -> None:
        assert made["depths"][0].says == (
            "r1 generates at 100 tok/s (100 to 100) in tg4. r2 generates at 50.0 tok/s (50.0 to 50.0) in tg4@d512."
        )

    def test_that_nobody_is(self, drawn: dict[str, Chart]) -> None:
        assert drawn["decode"].says == (
            "No row is best beyond doubt; r3 has the best value, 55.7 tok/s (55.2 to 56.4)."
        )

    def test_memory(self, drawn: dict[str, Chart]) -> None:
        assert drawn["memory"].says == (
            "r2 takes least memory, 118 MiB, and r1 most, 159 MiB; at most 0.42% of a row is unexplained."
        )

    def test_bandwidth(self, drawn: dict[str, Chart]) -> None:
        assert drawn["bandwidth"].says == (
            "r1 comes nearest to what memory can give: its decoding reads 32% of 17.1 GB/s."
        )

    def test_more_than_all_of_the_bandwidth_is_told_as_what_it_is(self) -> None:
        made = report(hand_made())
        first = made.rows[0]
        above = replace(first.metrics["bandwidth_share"], value=1.3)
        rows = [replace(first, metrics=first.metrics | {"bandwidth_share": above}), *made.rows[1:]]
        found = charts(Source(name="x", report=replace(made, rows=rows), run=None))
        assert {chart.name: chart for chart in found}["bandwidth"].says == (
            "r1 seems to read 130% of 17.1 GB/s: a cache holds weights, or that is not the bandwidth of this machine."
        )

    def test_energy(self, drawn: dict[str, Chart]) -> None:
        assert drawn["energy"].title == "Energy of the processor package alone"
        assert drawn["energy"].says.startswith("r1 has the least value for a token of an answer: 0.0535 J (")

    def test_sustained(self, drawn: dict[str, Chart]) -> None:
        assert drawn["sustained"].says == "r1 settles at 80.0 tok/s, 80% of its first minute."

    def test_depth(self, made: dict[str, list[Chart]]) -> None:
        depth = {chart.name: chart for chart in made["depths"]}["depth"]
        assert depth.says == (
            "By the values drawn, r1 loses with depth: 50% from 2 to 514 tokens (100 to 50.0 tok/s); no interval "
            "judges it."
        )

    def test_stalls(self) -> None:
        found = run([case("r1")], rounds("r1", [10] * 3, tokens=12), planned=3)
        slow = text_pass(1, tokens=12)
        slow = replace(slow, token_ns=[*slow.token_ns[:-1], slow.token_ns[-1] + 80_000_000])
        found = replace(found, workers=[*found.workers, worker("r1", 3, slow)])
        gaps = {chart.name: chart for chart in charts(of(found))}["gaps"]
        assert gaps.says == (
            "1 stall (gaps over 3 times the median of their pass); the longest, 90.0 ms, came before token 12 of r1. "
            "Gaps beyond a strip stand at its upper edge."
        )

    def test_passes_left_out(self) -> None:
        loud = counters(foreign_share=0.3)
        workers = [worker("r1", n, text_pass(1), *[text_pass(2, counters=loud)] * (n == 0)) for n in range(4)]
        found = {chart.name: chart for chart in charts(of(run([case("r1")], workers)))}["intrusions"]
        assert found.says == "4 of 5 passes counted; left out: 1 disturbed by others."
        assert "r1 round 1, 1 pass left out: others disturbed: others' CPU time 30% &gt; 5%" in found.wide

    def test_rows_that_do_not_fit(self) -> None:
        cases = [case(f"r{n}", threads=n) for n in range(30)]
        found = charts(of(run(cases, *(rounds(c.id, [30 - n]) for n, c in enumerate(cases)), planned=1)))
        decode = {chart.name: chart for chart in found}["decode"]
        assert decode.says.endswith("Shown are the 24 fastest of 30 rows.")
        assert re.findall(r">(r\d+)<", decode.wide) == [f"r{n}" for n in range(6, 30)]

    def test_the_rows_that_are_shown_are_the_fastest_of_that_chart(self) -> None:
        """The slower a row decodes, the sooner it answers here."""
        cases = [case(f"r{n}", threads=n) for n in range(30)]
        seen = [rounds(c.id, [30 - n], ttft_ms=100 + n) for n, c in enumerate(cases)]
        ttft = {chart.name: chart for chart in charts(of(run(cases, *seen, planned=1)))}["ttft"]
        assert re.findall(r">(r\d+)<", ttft.wide) == [f"r{n}" for n in range(24)]
        assert "r0 has the best value, 100 ms" in ttft.says

    def test_the_key_has_no_mark_that_is_not_drawn(self) -> None:
        few = charts(of(run([case("r1")], rounds("r1", [10, 11]), planned=2)))[0].wide
        assert "provisional: few rounds" in few
        assert "value and its 95% interval" not in few


class TestPictures:
    def test_they_have_the_two_widths_of_pages(self, drawn: dict[str, Chart]) -> None:
        for chart in drawn.values():
            widths = [ElementTree.fromstring(text).get("width") for text in (chart.wide, chart.narrow)]
            assert widths == ["600", "340"]

    def test_no_text_is_small(self, drawn: dict[str, Chart]) -> None:
        for text in pictures(list(drawn.values())):
            sizes = [one.get("font-size", "") for one in elements(text) if one.tag == f"{SVG}text"]
            assert sizes
            assert min(int(size.removesuffix("px")) for size in sizes) >= 11

    def test_they_are_named_for_those_who_do_not_see_them(self, drawn: dict[str, Chart]) -> None:
        for chart in drawn.values():
            root = ElementTree.fromstring(chart.wide)
            named = [
                root.find(f"*[@id='{root.get(f'aria-{how}')}']") for how in ("labelledby", "describedby")
            ]
            assert root.get("role") == "img"
            assert [one.text for one in named if one is not None] == [chart.title, chart.says]

    def test_no_id_stands_twice_in_a_page(self, drawn: dict[str, Chart]) -> None:
        ids = [
            name for text in pictures(list(drawn.values())) for name in re.findall(r'\bid="([^"]*)"', text)
        ]
        assert len(ids) == len(set(ids))

    def test_they_hold_nothing_but_shapes_and_words(self, drawn: dict[str, Chart]) -> None:
        for text in pictures(list(drawn.values())):
            assert {one.tag.removeprefix(SVG) for one in elements(text)} <= OWN
            assert not re.search(r"href|https?://(?!www\.w3\.org/2000/svg)|style=|@import| on\w+=", text)

    def test_every_colour_is_one_of_the_page(self, drawn: dict[str, Chart]) -> None:
        """And what is hatched refers to a pattern of its own picture."""
        for text in pictures(list(drawn.values())):
            own = {f"url(#{one.get('id')})" for one in elements(text)}
            used = {one.get(part) for one in elements(text) for part in ("fill", "stroke")}
            assert used <= {None, "none", *palette.DRAWN_IN.values(), *own}

    def test_the_same_run_gives_the_same_bytes(self, drawn: dict[str, Chart]) -> None:
        again = {chart.name: chart for chart in charts(of(hand_made()))}
        assert again == {name: drawn[name] for name in again}

    def test_no_name_from_a_file_gets_loose(self) -> None:
        for text in pictures(charts(of(hostile()))):
            assert {one.tag.removeprefix(SVG) for one in elements(text)} <= OWN
            assert all(set(one.attrib) <= ALLOWED for one in elements(text))
            assert not re.search("[\x1b\u202e]", text)


ALLOWED = {
    *(name for names in KEPT.values() for name in names),
    *PAINT,
    *("id", "class", "role", "aria-labelledby", "aria-describedby", "viewBox", "font-family", "patternUnits"),
    *("stroke-linejoin", "paint-order", "x", "y"),
}


class TestColours:
    @pytest.mark.parametrize(
        ("scheme", "page"), [(palette.LIGHT, palette.PAGE_LIGHT), (palette.DARK, palette.PAGE_DARK)]
    )
    def test_marks_stand_out_from_the_page(self, scheme: dict[str, str], page: dict[str, str]) -> None:
        assert min(contrast(colour, page["surface"]) for colour in scheme.values()) >= 3
        assert contrast(page["muted"], page["surface"]) >= 4.5

    @pytest.mark.parametrize("scheme", [palette.LIGHT, palette.DARK])
    @pytest.mark.parametrize("seen", ["all colours", "no red", "no green", "no blue"])
    def test_no_two_look_the_same_to_anybody(self, scheme: dict[str, str], seen: str) -> None:
        assert min(distance(a, b, seen) for a, b in combinations(scheme.values(), 2)) >= 0.08

    def test_each_colour_names_one_property(self) -> None:
        assert len(set(palette.DRAWN_IN.values())) == len(palette.DRAWN_IN)
        assert f'[fill="{palette.LIGHT["c1"]}"]{{fill:var(--c1)}}' in palette.CSS


SEEN = {
    "all colours": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "no red": ((0.152, 1.053, -0.205), (0.115, 0.786, 0.099), (-0.004, -0.048, 1.052)),
    "no green": ((0.367, 0.861, -0.228), (0.280, 0.673, 0.047), (-0.012, 0.043, 0.969)),
    "no blue": ((1.256, -0.077, -0.179), (-0.078, 0.931, 0.148), (0.005, 0.691, 0.304)),
}
"""Linear RGB as it is seen with all cones or without one kind (Machado, Oliveira and Fernandes 2009)."""


def linear(colour: str) -> list[float]:
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    return [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]


def contrast(a: str, b: str) -> float:
    """The contrast ratio of WCAG 2."""
    dark, light = sorted(sum(map(float.__mul__, (0.2126, 0.7152, 0.0722), linear(c))) for c in (a, b))
    return (light + 0.05) / (dark + 0.05)


def distance(a: str, b: str, seen: str) -> float:
    """How far two colours are apart in Oklab, where 0.02 can just be told."""
    return math.dist(oklab(a, seen), oklab(b, seen))


def oklab(colour: str, seen: str) -> list[float]:
    def times(matrix: Sequence[Sequence[float]], vector: Sequence[float]) -> list[float]:
        return [sum(x * y for x, y in zip(row, vector, strict=True)) for row in matrix]

    rgb = [min(1, max(0, part)) for part in times(SEEN[seen], linear(colour))]
    cones = times(((0.4122, 0.5363, 0.0514), (0.2119, 0.6807, 0.1074), (0.0883, 0.2817, 0.6300)), rgb)
    roots = [cone ** (1 / 3) for cone in cones]
    return times(((0.2105, 0.7936, -0.0041), (1.9780, -2.4286, 0.4506), (0.0259, 0.7828, -0.8087)), roots)


class TestMemory:
    @pytest.fixture(scope="class")
    @staticmethod
    def found() -> Report:
        return report(hand_made())

    def test_the_parts_add_up(self, found: Report) -> None:
        for row in found.rows[:3]:
            parts = memory.parts_of(row)
            assert parts is not None
            assert sum(parts.of.values()) == pytest.approx(parts.whole)
            assert parts.whole == row.metrics["pss_bytes"].value

    def test_a_row_without_memory_has_none(self, found: Report) -> None:
        assert memory.parts_of(found.rows[3]) is None

    def test_parts_that_claim_too_much_are_marked_where_pss_ends(self, found: Report) -> None:
        row = found.rows[0]
        runtime = row.metrics["runtime_bytes"].value or 0
        more = {"unexplained_bytes": -(2.0**20), "runtime_bytes": runtime + 2.0**20}
        changed = {name: replace(row.metrics[name], value=value) for name, value in more.items()}
        changed_report = replace(found, rows=[replace(row, metrics=row.metrics | changed)])
        (chart,) = memory.charts(changed_report, None)
        assert "r1 PSS: 159 MiB; its parts claim 1.0 MiB more" in chart.wide
        assert chart.says.endswith("; the parts claim 0.63% more than it takes.")
        assert "PSS, where the parts claim more" in chart.wide

    def test_what_is_swapped_out_is_said_to_be_within(self, found: Report) -> None:
        row = found.rows[0]
        swapped = replace(row.metrics["swapped_bytes"], value=40 * 2.0**20)
        changed = replace(found, rows=[replace(row, metrics=row.metrics | {"swapped_bytes": swapped})])
        (chart,) = memory.charts(changed, None)
        assert chart.says.startswith("r1 takes 199 MiB, with what is swapped out; ")

    def test_parts_are_told_by_hatches_too(self, drawn: dict[str, Chart]) -> None:
        used = set(re.findall(r'fill="url\(#[\w-]*-(\w+)\)"', drawn["memory"].wide))
        assert used == {"rising", "falling", "dotted"} <= set(HATCHES)


class TestGaps:
    def test_no_line_runs_through_the_labels_of_a_strip(self, drawn: dict[str, Chart]) -> None:
        """The longest label is `20 ms`: five characters of at most 7.2 pixels, and 6 beside them."""
        for text in (drawn["gaps"].wide, drawn["gaps"].narrow):
            blue = [one for one in elements(text) if one.get("stroke") == palette.COLOURS[0]]
            starts = [float(found[1]) for one in blue if (found := re.match(r"M([\d.]+),", one.get("d", "")))]
            in_key, *in_strips = sorted(starts)
            assert in_key == 0
            assert len(in_strips) == 3
            assert min(in_strips) >= 42


class TestNarrow:
    def test_text_above_a_line_has_no_grid_behind_it(self, drawn: dict[str, Chart]) -> None:
        bands = {
            name: [
                one
                for one in elements(text)
                if one.tag == f"{SVG}path"
                and one.get("fill") == palette.SURFACE
                and one.get("stroke") is None
            ]
            for name, text in (("wide", drawn["ttft"].wide), ("narrow", drawn["ttft"].narrow))
        }
        assert {name: len(found) for name, found in bands.items()} == {"wide": 0, "narrow": 3}


class TestLines:
    def test_names_at_the_ends_of_lines_do_not_touch(self) -> None:
        assert lines.apart([50, 52, 10], 200) == [50, 64, 10]

    def test_nor_leave_the_plot(self) -> None:
        assert lines.apart([198, 199, 200], 200) == [172, 186, 200]

    def test_a_window_that_others_disturbed_is_crossed_at_the_height_before(self) -> None:
        found = lines.Course(id="r1", name="", points=[(0, None), (1, 5.0), (2, None), (3, 6.0)], says="")
        assert found.crosses() == [(0, 5.0), (2, 5.0)]

    def test_twelve_lines_look_different(self) -> None:
        looks = [(colour, tuple(dash)) for colour, dash, _ in map(lines.look, range(lines.MOST_LINES))]
        assert len(set(looks)) == lines.MOST_LINES

    def test_clock_and_temperature_stand_below_the_speed(self, drawn: dict[str, Chart]) -> None:
        headings = re.findall(r'y="16"[^>]*>([^<]*)<', drawn["sustained"].wide)
        assert headings == ["decode, tok/s", "clock, GHz", "temperature, degrees Celsius"]
        assert "left out: others disturbed" in drawn["sustained"].wide


class TestNames:
    def test_a_long_name_loses_its_middle(self) -> None:
        assert rows.short("SmolLM2-135M-Instruct-Q4_0", 11) == "SmolL\u2026-Q4_0"

    def test_long_names_lose_the_words_that_all_begin_with(self) -> None:
        made = [
            case(f"r{n}", f"SmolLM2-135M-Instruct-{quant}") for n, quant in enumerate(["Q4_0", "Q4_1"], 1)
        ]
        found = report(run(made, *(rounds(c.id, [10]) for c in made), planned=1))
        assert rows.names(found) == {"r1": "\u2026Q4_0", "r2": "\u2026Q4_1"}


class TestSvg:
    def test_the_first_chart(self) -> None:
        text = svg.render([of(hand_made())], None)
        assert (
            '<text x="16" y="30" font-size="16px" font-weight="600" fill="#1b1f24">Time to first token</text>'
            in text
        )
        assert ElementTree.fromstring(text).get("width") == "632"

    def test_it_brings_its_colours_and_its_ground(self) -> None:
        text = svg.render([of(hand_made())], "memory")
        assert "prefers-color-scheme:dark" in text
        assert '<rect width="632"' in text
        assert "r2 takes least memory" in text

    def test_a_chart_that_is_not_there(self) -> None:
        with pytest.raises(
            UserError, match=r"^run\.jsonl has no chart 'energy': its charts are ttft, decode, depth, "
        ):
            svg.render([of(hand_made())], "energy")

    def test_several_files(self) -> None:
        with pytest.raises(UserError, match="a picture shows one run file, and 2 were given"):
            svg.render([of(hand_made())] * 2, None)

    def test_nothing_measured(self) -> None:
        with pytest.raises(UserError, match="nothing to draw"):
            svg.render([of(run([case("r1")]))], None)

    @pytest.mark.parametrize("package", ["altair", "vl_convert"])
    def test_a_missing_package(self, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
        missing: Any = None
        monkeypatch.setitem(sys.modules, package, missing)
        with pytest.raises(UserError, match=r"pip install 'edgeprof\[charts\]'"):
            svg.render([of(hand_made())], None)
