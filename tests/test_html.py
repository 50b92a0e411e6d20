"""A report as one page of HTML: what stands in it, in which order, that it is inert, and what it costs."""

from __future__ import annotations

import base64
import builtins
import hashlib
import re
from collections.abc import Sequence
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import pytest

from profiler.analyse.report import report
from profiler.analyse.shipping import verdicts
from profiler.analyse.source import Source
from profiler.documents.limits import read_limits
from profiler.errors import UserError
from profiler.render import html
from profiler.render import verdict_words as words
from profiler.render.charts import Chart
from profiler.render.columns import Cell, Line, Table
from profiler.render.html import sections
from profiler.render.html.commands import unbroken
from profiler.render.html.sorting import amount
from profiler.render.spark import BLOCKS
from profiler.runfile import Run
from tests.hand_made import hand_made
from tests.run_builder import board, build, case, metered, rounds, run, sensor, text
from tests.test_answer import minutes
from tests.test_cold import cold, starts
from tests.test_hostile_names import NASTY, hostile
from tests.test_sustained import course

VOID = {"meta", "link", "br"}


def drawing(name: str) -> Chart:
    picture = '<svg viewBox="0 0 9 9"><rect width="5" height="5"/></svg>'
    return Chart(name=name, title=f"Picture of {name}", says=f"What {name} shows.", wide=picture, narrow=picture,
                 table=Table(f"Figures of {name}", [""], [("a", "ms")], [Line(["r1"], [Cell("1")])]))  # fmt: skip


@pytest.fixture(autouse=True)
def drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures cost seconds; what they show is tested elsewhere."""
    monkeypatch.setattr(html, "charts", lambda source: [drawing("ttft"), drawing("memory"), drawing("new")])


def without_labels(page: str) -> str:
    """Without what the tests in a browser look at: the head that each cell repeats for phones, flags as a whole."""
    return re.sub(r' data-label="[^"]*"|<span class="flag">([^<]*)</span>', r"\1", page)


def page(of: Run, name: str = "run.jsonl") -> str:
    return without_labels(html.render([Source(name=name, report=report(of), run=of)]))


class Reader(HTMLParser):
    """Elements with their attributes, and the text of each kind of element; refuses what is not well nested."""

    def __init__(self, shown: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(shown)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)
            self.texts.setdefault(tag, []).append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        for tag in set(self._open):
            self.texts[tag][-1] += data

    def attribute(self, name: str) -> list[str]:
        return [found for _, attributes in self.elements if (found := attributes.get(name)) is not None]


HAND = hand_made()


@pytest.fixture(scope="module")
def shown() -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(html, "charts", lambda source: [drawing("ttft"), drawing("memory"), drawing("new")])
        return page(HAND)


@pytest.fixture(scope="module")
def read(shown: str) -> Reader:
    return Reader(shown)


class TestTheFirstScreen:
    def test_question_answer_table_in_this_order(self, shown: str) -> None:
        order = ["<h1>Which of these 4 cases", '<p class="answer">r3 (Q4_0, threads 4)', "<table", "<nav"]
        places = [shown.index(word) for word in order]
        assert places == sorted(places)

    def test_the_figures_stand_with_their_intervals_and_best_is_a_word(self, shown: str) -> None:
        assert '<td data-value="912.0" class="n ">912 <small>±1.1%</small></td>' in shown
        assert '<td data-value="456.0" class="n ship">456 <small>±1.1% best</small></td>' in shown

    def test_a_failure_is_told_in_its_row_and_below(self, shown: str) -> None:
        assert '<td colspan="4" class="skip">out of memory</td>' in shown
        assert '<p class="story">r4: it needs 1.2 GiB and 0.9 GiB are free: take a smaller build</p>' in shown

    def test_the_day_and_the_device_stand_above(self, shown: str) -> None:
        assert '<p class="kicker">A board (4 cores) · run.jsonl · 9 October 2025</p>' in shown


class TestTheSections:
    def test_in_the_order_of_the_list_of_contents(self, read: Reader) -> None:
        links = [link.removeprefix("#") for link in read.attribute("href") if link.startswith("#")]
        assert links[2:] == [
            *("speed", "gaps", "memory", "bandwidth", "intrusions", "more", "settings", "reproduce"),
            "definitions",
        ]
        assert set(links) <= set(read.attribute("id"))
        sections = [found["id"] for tag, found in read.elements if tag == "section"]
        assert sections == links[2:]

    def test_a_chart_stands_in_its_section_with_its_sentence_and_figures(self, shown: str) -> None:
        speed = shown[shown.index('<section id="speed"') : shown.index('<section id="gaps"')]
        assert "<figcaption>What ttft shows.</figcaption>" in speed
        assert "Figures of ttft" in speed
        assert speed.count("<svg") == 2

    def test_a_chart_that_nobody_placed_is_shown_nevertheless(self, shown: str) -> None:
        assert "Picture of new" in shown[shown.index('<section id="more"') :]

    def test_figures_that_have_a_full_table_are_not_repeated(self, shown: str) -> None:
        assert "Memory in MiB, parts of one moment" in shown
        assert "Figures of memory" not in shown

    def test_headings_go_down_one_step_at_a_time(self, read: Reader) -> None:
        levels = [int(tag[1]) for tag, _ in read.elements if re.fullmatch(r"h[1-6]", tag)]
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(after - before <= 1 for before, after in pairwise(levels))

    def test_no_address_is_given_twice(self, read: Reader) -> None:
        ids = read.attribute("id")
        assert len(ids) == len(set(ids))

    def test_ratios_have_their_verdict_in_words(self, shown: str) -> None:
        assert '<td data-value="1.508" class="n ">x1.508</td><td>1.467 to 1.554</td>' in shown
        assert '<td class="ship">better</td>' in shown

    def test_bandwidth_is_read_bytes_times_speed(self, shown: str) -> None:
        assert '<td data-value="0.32" class="n ">32%</td>' in shown
        assert "<dt>Bandwidth</dt><dd>17.1 GB/s</dd>" in shown

    def test_intrusions_say_what_counts(self, shown: str) -> None:
        counted = '<td data-value="8.0" class="n ">8</td><td data-value="24.0" class="n ">24</td>'
        assert counted in shown[shown.index('<section id="intrusions"') :]

    def test_the_environment_and_the_builds_with_their_hashes(self, shown: str) -> None:
        settings = shown[shown.index('<section id="settings"') :]
        assert f'<td class="hash">{"8f" * 32}</td>' in settings
        assert "<dt>governors</dt><dd>performance</dd>" in settings
        assert "NEON = 1 | DOTPROD = 1" in settings

    def test_definitions_have_meaning_formula_and_symbols(self, shown: str) -> None:
        defined = shown[shown.index('<section id="definitions"') :]
        assert "<dt>TTFT <code>ttft_ms</code></dt>" in defined
        assert "<code>1000 / ((tn - t1) / (n - 1))</code> <small>tok/s, higher is better</small>" in defined
        assert "<dt>tn</dt><dd>when the last one was, ms after s</dd>" in defined
        assert "others&#39; CPU time" in defined

    def test_only_figures_that_are_there_are_defined(self, shown: str) -> None:
        assert "cold_start_ms" not in shown
        assert "pp_tps" not in shown

    def test_cold_starts(self) -> None:
        found = page(cold(starts([True] * 8)))
        assert "nothing of the build in the page cache" in found[found.index('<section id="cold"') :]

    def test_minutes(self) -> None:
        """The chart draws what other formats show as blocks of text."""
        found = page(minutes(*course()))
        shown = found[found.index('id="sustained"') :]
        assert "<dt>decode</dt><dd>100 tok/s</dd>" in shown
        assert "<dt>settled</dt><dd>100 tok/s from the start" in shown
        assert not set(shown) & set(BLOCKS)

    def test_tables_of_many_columns_become_cards_on_a_phone(self, shown: str) -> None:
        memory = shown[shown.index('<section id="memory"') : shown.index('<section id="bandwidth"')]
        assert '<table class="cards">' in memory

    def test_energy_with_what_is_known_of_the_sensor(self) -> None:
        found = page(run([case("r1", workload=text(output=11))], [metered("r1", n) for n in range(8)],
                         sensors=[sensor()]))  # fmt: skip
        energy = found[found.index('<section id="energy"') : found.index('<section id="intrusions"')]
        assert "Energy of the processor package alone" in energy
        assert "<dt>Sensor</dt><dd>rapl, package: rapl package</dd>" in energy

    def test_why_there_is_no_energy(self) -> None:
        found = page(run([case("r1")], rounds("r1", [10]), no_sensor={"rapl": "root is needed"}))
        assert "<p>Not measured: rapl: root is needed.</p>" in found

    def test_the_state_of_the_board(self) -> None:
        seen: dict[str, Any] = {
            "board_before": board(cpu_clock={"cpu0": 2e9}),
            "board_after": board(1, cpu_clock={"cpu0": 1e9}),
        }
        found = page(run([case("r1")], [metered("r1", n, **seen) for n in range(3)]))
        assert "<dt>CPU clock</dt><dd>2000 MHz -&gt; 1000 MHz</dd>" in found


class TestHowToReproduce:
    def commands(self, of: Run, name: str = "run.jsonl") -> str:
        found = re.findall(r"<pre[^>]*><code>(.*?)</code>", page(of, name), re.DOTALL)
        return "".join(found).replace(" \\\n ", "")

    def test_the_same_cases_by_one_command(self) -> None:
        first = self.commands(HAND).splitlines()[0]
        assert first == (
            "edgeprof run SmolLM2-135M-Q8_0 SmolLM2-135M-Q4_0 --workload chat@1 -p 128 -n 128 --engine llama-cpp "
            "--threads 2,4 --kv f16 --flash auto --set mmap=on --processes 8 --passes 3 --device board --seed 1"
        )

    def test_and_commands_that_check_the_page(self) -> None:
        assert self.commands(HAND).splitlines()[1:] == [
            "edgeprof explain run.jsonl r1 decode_tps",
            "edgeprof report run.jsonl -o page.html",
            "edgeprof bundle run.jsonl -o evidence.zip",
            "edgeprof verify evidence.zip",
        ]

    def test_modes_of_the_run_are_typed_too(self) -> None:
        assert "--sustained 300s --passes 3 --device board" in self.commands(minutes(*course()))
        assert "--processes 8 --passes 3 --cold" in self.commands(cold(starts([True] * 8)))

    def test_no_name_is_more_than_a_word_of_the_shell(self) -> None:
        odd = run([case("r1", "a;rm -rf $HOME")], rounds("r1", [10] * 8))
        assert "edgeprof run &#39;a;rm -rf $HOME&#39; --workload" in self.commands(odd)

    def test_imported_figures_cannot_be_measured_again_from_here(self) -> None:
        found = html.render([Source(name="a.json", report=report(HAND), run=None)], None)
        assert "These figures come from another tool, without stamps" in found
        assert "edgeprof explain" not in found


def test_limits_put_their_question_and_verdicts_first() -> None:
    seen = Source(name="run.jsonl", report=report(HAND), run=HAND)
    judged = verdicts([seen], read_limits("laptop-chat"))
    found = without_labels(html.render([seen], judged))
    skipped = next(one for one in judged.judgements if one.row == "r4")
    order = [
        f"<h1>{words.question(judged)}</h1>",
        f'<p class="answer">{words.answer(judged)}</p>',
        f"Verdicts by {judged.title}",
        f'<th scope="row">r4</th><td class="{skipped.word}">{skipped.word}</td>',
        "Limits of laptop-chat, one by one",
        "Why these limits",
        "chat@1: 128 tokens in, 128 out</span>",
    ]
    places = [found.index(word) for word in order]
    assert places == sorted(places)


def test_several_sources_are_parts_below_one_matrix() -> None:
    found = html.render([Source(name=f"{n}.jsonl", report=report(HAND), run=HAND) for n in "ab"], None)
    read = Reader(found)
    parts = [(seen["id"], "open" in seen) for tag, seen in read.elements if seen.get("class") == "source"]
    assert parts == [("source-1", True), ("source-2", False)]
    assert found.index("TTFT in ms, chat@1") < found.index('id="source-1"') < found.index('id="1-speed"')
    ids = read.attribute("id")
    assert len(ids) == len(set(ids))
    assert {"1-reproduce", "2-reproduce", "definitions"} <= set(ids)


class TestItIsInert:
    def test_no_name_becomes_an_element_or_an_attribute(self) -> None:
        read = Reader(page(hostile(), "<i>" + NASTY))
        tags = {tag for tag, _ in read.elements}
        assert tags & {"img", "iframe", "object", "form", "i", "b"} == set()
        assert [tag for tag, _ in read.elements].count("script") == 1
        assert [a for a in read.attribute("href") if not a.startswith("#")] == ["data:,"]
        assert not [name for _, found in read.elements for name in found if name.startswith("on")]

    def test_no_character_moves_the_reading_direction(self) -> None:
        assert "".join(page(hostile()).split("\n")).isprintable()

    def test_the_only_script_is_the_one_that_the_policy_names(self, shown: str, read: Reader) -> None:
        (script,) = read.texts["script"]
        told = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        (policy,) = [seen["content"] for _, seen in read.elements if seen.get("http-equiv")]
        assert policy == (
            f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{told}'; img-src data:; "
            "base-uri 'none'; form-action 'none'"
        )

    def test_nothing_points_outside(self, shown: str) -> None:
        assert re.findall(r"https?:|//\w|url\(|@import|src=", shown.replace("script-src", "")) == []


class TestWhatItCosts:
    def test_the_same_run_gives_the_same_bytes(self, shown: str) -> None:
        assert page(HAND) == shown

    def test_a_run_of_a_thousand_cases_is_below_ten_megabytes(self) -> None:
        cases = [case(f"r{n}", f"build-{n % 40}", threads=n) for n in range(1000)]
        done = [rounds(c.id, [10, 11], passes=1) for c in cases]
        found = page(run(cases, *done, builds=[build(f"build-{n}") for n in range(40)]))
        assert found.count('<th scope="row"') > 4000
        assert len(found.encode()) < 10_000_000

    def test_a_missing_package_is_named_with_what_to_type(self, monkeypatch: pytest.MonkeyPatch) -> None:
        real = builtins.__import__

        def without(name: str, *rest: Any, **more: Any) -> Any:
            if name == "jinja2":
                raise ImportError("No module named 'jinja2'")
            return real(name, *rest, **more)

        monkeypatch.setattr(builtins, "__import__", without)
        with pytest.raises(
            UserError, match=r"HTML reports need jinja2.*: type pip install 'edgeprof\[charts\]'"
        ):
            page(HAND)


@pytest.mark.parametrize(
    ("smaller", "larger"),
    [("9.5", "10.1"), ("900 MiB", "1.5 GiB"), ("x0.399", "x1.2"), ("-3", "2"), ("0.42%", "12%"), ("~4", "5")],
)
def test_cells_are_sorted_by_the_number_they_show(smaller: str, larger: str) -> None:
    found: Sequence[float | None] = [amount(smaller), amount(larger)]
    assert None not in found
    assert found == sorted(found, key=lambda value: value or 0)


@pytest.mark.parametrize("words", ["-", "llama-cpp", "out of memory", "r1", ""])
def test_what_shows_no_number_is_sorted_by_its_text(words: str) -> None:
    assert amount(words) is None


def test_charts_know_their_sections() -> None:
    places = {name: sections.place(drawing(name)) for name in ("tg", "energy-gpu", "gaps", "other")}
    assert places == {"tg": "speed", "energy-gpu": "energy", "gaps": "gaps", "other": "more"}


def test_commands_within_sentences_are_code_and_flags_are_whole() -> None:
    assert unbroken("see `edgeprof run --strict` & <b>") == (
        'see <code>edgeprof run <span class="flag">--strict</span></code> &amp; &lt;b&gt;'
    )


def test_what_would_decide_all_rows_is_told_once() -> None:
    seen = run([case("r1", threads=1), case("r2", threads=2)], rounds("r1", [10] * 8), rounds("r2", [9] * 8))
    source = Source(name="run.jsonl", report=report(seen), run=seen)
    found = html.render([source], verdicts([source], read_limits("laptop-chat")))
    assert found.count("--processes</span> 36") == 1
    assert "what would turn or decide it" not in found
