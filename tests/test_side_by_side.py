"""`edgeprof report --side-by-side`: which rows belong together, what fits where, and a page no stranger bends."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest

from profiler.analyse.estimate import Estimate
from profiler.analyse.known import Known, KnownDevice, KnownModel, begins, stem
from profiler.analyse.notices import Notice
from profiler.analyse.report import report
from profiler.analyse.shipping import Judgement, Verdicts, Word
from profiler.analyse.side_by_side import SideBySide, side_by_side
from profiler.analyse.source import Source
from profiler.cli.side_by_side import known, show_side_by_side
from profiler.documents.review import Costs, Hosted, Quote, Review, ReviewedModel
from profiler.errors import UserError
from profiler.render.side_by_side import FORMATS, render
from profiler.runfile import Build, Device, Run
from tests.run_builder import BOARD, build, case, failed, memory, rounds, run, text

GIB = 2**30
CATALOGUE = Known(
    models=(
        KnownModel(
            id="alpha-1b", name="Alpha-1B", parameters=1_000_000_000, active_parameters=1_000_000_000,
            licence="Apache-2.0", licence_source="its card", hashes=("ab" * 32,),
        ),
        KnownModel(
            id="alpha-1b-chat", name="Alpha-1B-Chat", parameters=1_000_000_000, active_parameters=1_000_000_000,
            licence="LicenseRef-odd", licence_source="its card",
        ),
    ),
    devices=(
        KnownDevice(id="tiny", name="Tiny", memory_bytes=GIB // 8, source="S (H)"),
        KnownDevice(id="twin-b", name="Twin B", memory_bytes=GIB, source="S (H)"),
        KnownDevice(id="twin-a", name="Twin A", memory_bytes=GIB, source="S (H)"),
        KnownDevice(id="large", name="Large", memory_bytes=8 * GIB, source="S (H)"),
    ),
)  # fmt: skip
TWO = Review(title="T", models=(ReviewedModel(name="Alpha"), ReviewedModel(name="Beta")))


def of(
    name: str, *, quantization: str = "Q4_0", peak_mib: float = 200, asked: Any = None, **facts: Any
) -> Run:
    """One row of one build."""
    found = build(
        f"{name}-{quantization}", quantization, name=f"{name}-{quantization}.gguf", parameters=10**9
    )
    row = case("r1", found.id, workload=asked or text(), **facts.pop("settings", {"threads": 4}))
    told = {"context": facts.pop("context", 512)}
    return run([row], rounds("r1", [10.0] * 8, phases=memory(peak_mib), facts=told), builds=[found], **facts)


def source(name: str, seen: Run) -> Source:
    return Source(name=name, report=report(seen), run=seen)


def two(**facts: Any) -> list[Source]:
    return [source("a.jsonl", of("Alpha-1B")), source("b.jsonl", of("Beta-1B", **facts))]


def judgement(file: str, word: Word, row: str = "r1") -> Judgement:
    return Judgement(
        source=file, row=row, device="board", device_name="A board", build="m", engine="llama-cpp", settings={},
        workload="chat@1", prompt_tokens=128, output_tokens=5, word=word, judged=[],
        why=f"because {word.value}", turn=[], basis="measured",
    )  # fmt: skip


def judged(*judgements: Judgement) -> dict[str, Verdicts]:
    return {
        "Chat": Verdicts(
            schema="s",
            limits="chat",
            title="",
            question="",
            word=Word.UNDECIDED,
            judgements=list(judgements),
            unmatched=[],
        )
    }


class TestWhichRowsBelongTogether:
    def test_builds_of_one_name_whatever_their_quantization_and_file(self) -> None:
        sources = [*two(), source("c.jsonl", of("Alpha-1B", quantization="Q8_0"))]
        found = side_by_side(sources, CATALOGUE)
        assert [(model.name, model.builds) for model in found.models] == [
            ("Alpha-1B", ["Alpha-1B-Q4_0.gguf", "Alpha-1B-Q8_0.gguf"]),
            ("Beta-1B", ["Beta-1B-Q4_0.gguf"]),
        ]

    def test_a_review_names_them_and_orders_them_and_what_it_leaves_out_is_said(self) -> None:
        review = Review(
            title="T",
            models=(
                ReviewedModel(name="B", match=("beta_1b",)),
                ReviewedModel(name="A", match=("alpha-1b",)),
            ),
        )
        found = side_by_side([*two(), source("c.jsonl", of("Gamma"))], CATALOGUE, review, "review.toml")
        assert [model.name for model in found.models] == ["B", "A"]
        assert found.notes == ["Gamma-Q4_0.gguf: left out, no model of the review matches it"]

    def test_the_longest_word_wins(self) -> None:
        review = Review(title="T", models=(ReviewedModel(name="Alpha"), ReviewedModel(name="Alpha-1B-Chat")))
        sources = [source("a.jsonl", of("Alpha-1B")), source("c.jsonl", of("Alpha-1B-Chat"))]
        found = side_by_side(sources, CATALOGUE, review)
        assert [model.builds for model in found.models] == [
            ["Alpha-1B-Q4_0.gguf"],
            ["Alpha-1B-Chat-Q4_0.gguf"],
        ]

    def test_a_word_ends_where_a_part_of_a_name_ends(self) -> None:
        assert begins("SmolLM2_135M-Instruct.gguf", "smollm2-135m")
        assert not begins("qwen3-14b.gguf", "qwen3-1")
        assert stem(build("x", "Q4_1", name="SmolLM2-135M-Instruct.Q4_1-onnx")) == "SmolLM2-135M-Instruct"

    def test_one_model_alone_is_refused_in_one_sentence(self) -> None:
        with pytest.raises(UserError, match="takes 2 to 4 models and found 1 \\('Alpha-1B'\\)"):
            side_by_side([source("a.jsonl", of("Alpha-1B"))], CATALOGUE)

    def test_a_reviewed_model_without_rows_is_refused_with_the_builds_there_are(self) -> None:
        with pytest.raises(UserError, match=r"model\[1\] 'Beta' matches no build .*'Alpha-1B-Q4_0.gguf'"):
            side_by_side([source("a.jsonl", of("Alpha-1B"))], CATALOGUE, TWO)

    def test_machines_of_one_processor_and_different_memory_are_two_in_every_part(self) -> None:
        small, large = (
            Device(id="this", name="x86_64 machine", cpu="AMD EPYC", memory_bytes=GIB * size)
            for size in (4, 64)
        )
        found = side_by_side(
            [
                source("a.jsonl", of("Alpha-1B", device=small)),
                source("b.jsonl", of("Beta-1B", device=large)),
            ],
            CATALOGUE,
        )
        assert [(table.device_name, table.missing) for table in found.latency] == [
            ("AMD EPYC #1", ["Beta-1B"]),
            ("AMD EPYC #2", ["Alpha-1B"]),
        ]
        assert [file.device for file in found.sources] == ["AMD EPYC #1", "AMD EPYC #2"]


class TestFacts:
    def test_licence_and_restrictions_come_from_the_catalogue_and_say_how_it_was_found(self) -> None:
        first, second = side_by_side(two(), CATALOGUE).models
        assert (first.catalogue, first.licence.value) == ("alpha-1b", "Apache-2.0")
        assert first.licence.source == "catalogue: alpha-1b, found by name and parameters; its card"
        assert first.restrictions.value is not None
        assert first.restrictions.value.startswith("commercial use allowed")
        assert (second.licence.value, second.restrictions.value) == (None, None)
        assert second.licence.reason == "the catalogue knows no such model, and no review gives a licence"

    def test_a_hash_says_more_than_a_name(self) -> None:
        renamed = of("My-Copy", sha256={"My-Copy-Q4_0": "ab" * 32})
        found = side_by_side([source("a.jsonl", renamed), *two()[1:]], CATALOGUE).models[0]
        assert (found.catalogue, found.recognised) == ("alpha-1b", "by the hash of the file")

    def test_a_review_overrides_them_and_a_licence_without_a_summary_says_so(self) -> None:
        review = msgspec.structs.replace(
            TWO, models=(ReviewedModel(name="Alpha", licence="Odd-1.0"), ReviewedModel(name="Beta"))
        )
        first = side_by_side(two(), CATALOGUE, review, "review.toml").models[0]
        assert (first.licence.value, first.licence.source) == ("Odd-1.0", "review: review.toml")
        assert first.restrictions.reason == "no summary of this licence is known: read it"

    def test_every_licence_of_the_catalogue_has_a_summary(self) -> None:
        from profiler.analyse.licences import RESTRICTIONS

        assert {model.licence for model in known().models if model.licence} <= set(RESTRICTIONS)


class TestFits:
    def test_the_smallest_size_with_room_and_all_devices_of_it(self) -> None:
        """PSS is 150 MiB; three quarters of 128 MiB hold less, three quarters of 1 GiB more."""
        found = side_by_side(two(), CATALOGUE).models[0].fits[0]
        assert [device.id for device in found.devices] == ["twin-a", "twin-b"]
        assert (found.memory_bytes, found.metric) == (150 * 2**20, "PSS")
        assert (found.quantization, found.context, found.basis) == ("Q4_0", 512, "extrapolated")
        assert (found.source, found.row, found.room_bytes) == ("a.jsonl", "r1", 0.75 * GIB)

    def test_the_quantization_that_takes_least_comes_first(self) -> None:
        sources = [source("c.jsonl", of("Alpha-1B", quantization="Q8_0", peak_mib=1200)), *two()]
        found = side_by_side(sources, CATALOGUE).models[0].fits
        assert [(fit.quantization, fit.devices[0].id) for fit in found] == [
            ("Q4_0", "twin-a"),
            ("Q8_0", "large"),
        ]

    def test_what_fits_nowhere_or_lies_on_a_gpu_has_a_reason(self) -> None:
        large = side_by_side(two(peak_mib=20_000), CATALOGUE).models[1].fits[0]
        assert large.reason is not None
        assert large.reason.startswith("no device of the catalogue has so much memory free")
        sources = two()
        on_gpu = msgspec.structs.replace(sources[1].report.rows[0], target="gpu")
        told = msgspec.structs.replace(sources[1].report, rows=[on_gpu])
        sources[1] = msgspec.structs.replace(sources[1], report=told)
        gpu = side_by_side(sources, CATALOGUE).models[1].fits[0]
        assert (gpu.devices, gpu.reason) == (
            [],
            "a part of it lies in an accelerator's memory, which other devices have in other ways",
        )

    @pytest.mark.parametrize(
        ("code", "metric", "reason"),
        [
            ("shared_file", "peak RSS", None),
            (
                "paging",
                "PSS",
                "it did not stay in memory where it was measured, so what it takes is not known",
            ),
        ],
    )
    def test_memory_that_tells_too_little_says_nothing_of_other_devices(
        self, code: str, metric: str, reason: str | None
    ) -> None:
        sources = two()
        noticed = [Notice(code=code, seen="seen", advice="advice")]
        row = msgspec.structs.replace(sources[0].report.rows[0], notices=noticed)
        told = msgspec.structs.replace(sources[0].report, rows=[row])
        sources[0] = msgspec.structs.replace(sources[0], report=told)
        found = side_by_side(sources, CATALOGUE).models[0].fits[0]
        assert (found.metric, found.reason) == (metric, reason)

    @pytest.mark.parametrize("kv_bytes", [100 * 2**20, None])
    def test_what_was_not_loaded_is_held_against_devices_by_what_its_engine_planned(
        self, kv_bytes: float | None
    ) -> None:
        """500, 100 and 50 MiB: three quarters of 1 GiB hold them; nothing is known where a part is not."""
        sources = two()
        parts = {"weights_bytes": 500 * 2**20, "kv_bytes": kv_bytes, "compute_reserved_bytes": 50 * 2**20}
        planned = {name: Estimate(value=value, unit="B") for name, value in parts.items()}
        row = msgspec.structs.replace(sources[0].report.rows[0], basis="extrapolated", metrics=planned)
        told = msgspec.structs.replace(sources[0].report, rows=[row])
        sources[0] = msgspec.structs.replace(sources[0], report=told)
        shown = side_by_side(sources, CATALOGUE)
        fit = shown.models[0].fits[0]
        if kv_bytes is None:
            assert (fit.memory_bytes, fit.reason) == (None, "its memory is not known")
        else:
            assert (fit.memory_bytes, fit.metric) == (650 * 2**20, "planned by its engine")
            assert [device.id for device in fit.devices] == ["twin-a", "twin-b"]
            assert shown.latency[0].lines[0].memory_is == "planned by its engine"


class TestUnlikeRows:
    def test_rows_asked_the_same_on_one_device_share_a_table_that_says_they_are_of_two_runs(self) -> None:
        (table,) = side_by_side(two(), CATALOGUE).latency
        assert [(line.model, line.source, line.row) for line in table.lines] == [
            ("Alpha-1B", "a.jsonl", "r1"),
            ("Beta-1B", "b.jsonl", "r1"),
        ]
        assert table.differs[0].startswith("the rows are of 2 runs (a.jsonl, b.jsonl): what the machine did")

    @pytest.mark.parametrize(
        "facts",
        [
            {"asked": text(sha256="decaf")},
            {"asked": text(prompt=64)},
            {"device": msgspec.structs.replace(BOARD, cpu="another")},
        ],
    )
    def test_another_text_length_or_device_is_another_table_and_who_is_missing_is_said(
        self, facts: dict[str, Any]
    ) -> None:
        found = side_by_side(two(**facts), CATALOGUE).latency
        assert [table.missing for table in found] == [["Beta-1B"], ["Alpha-1B"]]

    def test_context_settings_and_surroundings_that_differ_are_said(self) -> None:
        facts = {"settings": {"threads": 2}, "context": 1024, "environment": {"governors": ["powersave"]}}
        (table,) = side_by_side(two(**facts), CATALOGUE).latency
        assert table.varying == ["threads"]
        assert (
            "contexts of different length were made (512, 1024 tokens), which take different memory"
            in table.differs
        )
        assert "a.jsonl and b.jsonl differ in governor: performance -> powersave" in table.differs


class TestUses:
    @pytest.mark.parametrize(
        ("words", "word", "row"),
        [
            ((Word.SKIP, Word.SHIP), Word.SHIP, "r2"),
            ((Word.UNDECIDED, Word.SKIP), Word.UNDECIDED, "r1"),
            ((Word.SKIP, Word.SKIP), Word.SKIP, "r1"),
        ],
    )
    def test_one_row_that_ships_is_enough(self, words: tuple[Word, Word], word: Word, row: str) -> None:
        built = build("Alpha-1B-Q4_0", "Q4_0", parameters=10**9)
        cases = [case("r1", built.id, threads=1), case("r2", built.id, threads=2)]
        both = run(cases, rounds("r1", [10.0] * 8), rounds("r2", [9.0] * 8), builds=[built])
        told = [judgement("a.jsonl", one, f"r{n}") for n, one in enumerate(words, start=1)]
        found = side_by_side([source("a.jsonl", both), *two()[1:]], CATALOGUE, judged=judged(*told)).uses
        picked = "; it is the best of 2 rows: confirm it in a fresh run" if word is Word.SHIP else ""
        assert (found[0].word, found[0].row, found[0].why, found[0].judged_rows) == (
            word, row, f"because {word.value}{picked}", 2,
        )  # fmt: skip

    def test_a_model_that_no_limit_speaks_of_has_no_verdict(self) -> None:
        found = side_by_side(two(), CATALOGUE, judged=judged(judgement("a.jsonl", Word.SHIP))).uses
        assert (found[1].model, found[1].word, found[1].judged_rows) == ("Beta-1B", None, 0)
        assert found[1].why.startswith("no row of this model was measured")


HOSTILE = "</td><script>alert(1)</script>{{ 7 * 7 }}\u202e[x](http://e.com)|`\x1b[2J"


def hostile() -> SideBySide:
    """Whatever a stranger may write in a run file or a review."""
    quote = Quote(text=HOSTILE, author=HOSTILE, role=HOSTILE, verdict="ship")
    models = (
        ReviewedModel(name=HOSTILE, match=("alpha",), ship_votes=1, panel=2, licence=HOSTILE, restrictions=HOSTILE,
                      quotes=(quote,)),
        ReviewedModel(name="Beta"),
    )  # fmt: skip
    hosted = Hosted(name=HOSTILE, input_per_million=1, output_per_million=2)
    costs = Costs(
        currency="<b>",
        price_per_kwh=1,
        device_price=1,
        lifetime_years=1,
        duty_cycle=1,
        power_w=1,
        hosted=hosted,
    )
    review = Review(title=HOSTILE, question=HOSTILE, models=models, cost=costs)
    row = msgspec.structs.replace(case("r1", f"Alpha {HOSTILE}"), settings={HOSTILE: HOSTILE})
    bad = msgspec.structs.replace(row, id="r2", settings={HOSTILE: 1})
    seen = run(
        [row, bad], rounds("r1", [10.0] * 8), [failed("r2", 0, "crashed", HOSTILE)],
        device=msgspec.structs.replace(BOARD, name=HOSTILE, cpu=HOSTILE),
        environment={"governors": [HOSTILE], "kernel_release": HOSTILE},
    )  # fmt: skip
    return side_by_side([source(HOSTILE, seen), *two()[1:]], CATALOGUE, review, HOSTILE, judged())


class Tags(HTMLParser):
    """The tags of a page, and the attributes that could run or load something."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.suspicious: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.suspicious += [name for name, _ in attrs if name.startswith("on") or name in ("src", "href")]


class TestPages:
    def test_nothing_of_a_stranger_becomes_a_tag_and_nothing_is_loaded(self) -> None:
        page = render(hostile(), "html")
        found = Tags(page)
        assert not found.tags & {"script", "b", "img", "link", "iframe"}
        assert found.suspicious == []
        assert "default-src 'none'; style-src 'unsafe-inline'" in page
        assert "{{ 7 * 7 }}" in page
        assert "url(" not in page

    @pytest.mark.parametrize("name", FORMATS)
    def test_nothing_unseen_is_written_and_twice_gives_the_same_bytes(self, name: str) -> None:
        page = render(hostile(), name)
        assert {character for character in page if not character.isprintable()} == {"\n"}
        assert page == render(hostile(), name)

    def test_markdown_keeps_a_strangers_marks_inert(self) -> None:
        page = render(hostile(), "markdown")
        assert "<script" not in page.replace("\\<script", "")
        assert "[x](" not in page

    @pytest.mark.parametrize("name", ["html", "markdown", "terminal"])
    def test_figures_stand_with_their_file_their_row_and_their_basis(self, name: str) -> None:
        review = msgspec.structs.replace(
            TWO, models=(ReviewedModel(name="Alpha", ship_votes=9, panel=12), ReviewedModel(name="Beta"))
        )
        verdicts = judged(judgement("a.jsonl", Word.SHIP), judgement("b.jsonl", Word.SKIP))
        shown = render(side_by_side(two(), CATALOGUE, review, "review.toml", verdicts), name)
        plain = re.sub(r"\s+", " ", re.sub(r"<[^>]+>|[*\\]", " ", shown))
        for told in ("75%", "9 of 12 reviewers", "a panel of 12 is small", "47% to 91%", "Twin A, Twin B",
                     "150 MiB", "a.jsonl r1", "measured", "because ship", "because skip", "extrapolated"):  # fmt: skip
            assert told in plain, told

    def test_json_has_its_schema_and_the_bounds(self) -> None:
        told = json.loads(render(side_by_side(two(), CATALOGUE), "json"))
        assert told["schema"] == "edgeprof.side_by_side/1"
        assert told["latency"][0]["lines"][0]["metrics"]["ttft_ms"]["value"] == pytest.approx(100)

    def test_figures_of_another_tool_need_no_more_than_a_row_its_workload_and_a_name(self) -> None:
        """No stamps, nothing known of the build: what is not there is absent."""
        whole = two()
        row = msgspec.structs.replace(
            whole[1].report.rows[0], build="Beta", basis="imported", quantization=None, conditions={}, settings={},
            metrics={"decode_tps": Estimate(value=12.0, unit="tok/s")}, energy=None, board=None,
        )  # fmt: skip
        named = [Build(id="Beta", name="Beta", format="", size_bytes=0)]
        bare = msgspec.structs.replace(whole[1].report, rows=[row], builds=named, environment={}, engines={})
        imported = Source(name="b.csv", report=bare, run=None)
        found = side_by_side([whole[0], imported], CATALOGUE)
        assert found.models[1].parameters.parameters is None
        assert found.models[1].fits[0].reason == "its memory is not known"
        assert [render(found, name) for name in FORMATS]


def test_the_command_writes_the_page(tmp_path: Path) -> None:
    review = tmp_path / "review.toml"
    review.write_text('title = "Two"\n[[model]]\nname = "Alpha"\n[[model]]\nname = "Beta"\n')
    show_side_by_side(two(), review, "html", tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text("utf-8").startswith("<!doctype html>")
