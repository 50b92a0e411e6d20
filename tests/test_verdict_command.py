"""`edgeprof verdict` as people and scripts use it: exit codes, formats, the JSON that is promised."""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec
import pytest
from msgspec.structs import replace

from profiler.analyse.shipping import verdicts
from profiler.cli.app import main
from profiler.documents.limits import read_limits
from profiler.render import verdict_markdown, verdict_terminal
from profiler.runfile import Run
from tests.conftest import Outcome, only_refusal
from tests.hand_made import hand_made
from tests.run_builder import case, rounds, run
from tests.test_compare_command import stored
from tests.test_shipping import asked, judged, source

LIMITS = 'title = "Chat"\nquestion = "Is it quick?"\n[[use]]\nlimits = [{limits}]\n'


class Contract(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Every field is there: a new one is a line in CHANGELOG.md, one that changes or goes a new schema version."""


Words = Literal["ship", "skip", "undecided"]


class JsonJudged(Contract, frozen=True):
    limit: str
    metric: str
    asked: float
    word: Words
    value: float | None
    low: float | None
    high: float | None
    unit: Literal["ms", "tok/s", "B/s", "B", "bit", "", "J", "W"]
    margin: float | None
    reason: str
    why: str | None


class JsonJudgement(Contract, frozen=True):
    source: str
    row: str
    device: str
    device_name: str
    build: str
    engine: str
    settings: dict[str, int | str | bool | None]
    workload: str
    prompt_tokens: int
    output_tokens: int
    word: Words
    judged: list[JsonJudged]
    why: str
    turn: list[str]
    basis: str


class JsonVerdicts(Contract, frozen=True):
    schema: Literal["edgeprof.verdict/1"]
    limits: str
    title: str
    question: str
    word: Words
    judgements: list[JsonJudgement]
    unmatched: list[str]


Here = Callable[..., Outcome]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Here:
    """The command in this process, beside a run file of three rows with figures and one without."""
    stored(tmp_path, hand_made())

    def call(*words: str | Path) -> Outcome:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["edgeprof", *map(str, words)])
        code = main()
        return Outcome(code, *capsys.readouterr())

    return call


def limits(folder: Path, *texts: str) -> str:
    (folder / "own.toml").write_text(LIMITS.format(limits=", ".join(map(repr, texts))))
    return "own.toml"


def three() -> Run:
    """96 to 104 tokens per second, half and a third of it."""
    gaps = [9.9, 10.1, 9.8, 10.2, 10.0, 9.95, 10.05, 10.15]
    cases = [case(f"r{n}", threads=n) for n in (1, 2, 3)]
    return run(cases, *(rounds(f"r{n}", [n * gap for gap in gaps]) for n in (1, 2, 3)))


@pytest.mark.parametrize(
    ("asked_tps", "words", "code"),
    [
        (30, (), 0),
        (40, (), 1),
        (33.3, (), 4),
        (110, (), 1),
        (40, ("--any",), 0),
        (110, ("--any",), 1),
        (100, ("--any",), 4),
    ],
)
def test_exit_codes(here: Here, tmp_path: Path, asked_tps: float, words: tuple[str, ...], code: int) -> None:
    stored(tmp_path, three(), "three.jsonl")
    outcome = here(
        "verdict", "three.jsonl", "--limits", limits(tmp_path, f"decode_tps >= {asked_tps}"), *words
    )
    assert (outcome.code, outcome.err) == (code, "")


def test_files_of_one_name_are_told_apart(here: Here, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    stored(tmp_path / "other", hand_made())
    words = ("verdict", "run.jsonl", "other/run.jsonl", "--limits", limits(tmp_path, "ttft_ms <= 600"))
    told = json.loads(here(*words, "-f", "json").out)["judgements"]
    assert {one["source"] for one in told} == {"run.jsonl", "run.jsonl (2)"}


def test_what_a_run_cannot_be_asked_is_said_of_its_file(here: Here, tmp_path: Path) -> None:
    stored(tmp_path, three(), "three.jsonl")
    words = ("report", "three.jsonl", "run.jsonl", "-f", "json", "--base", "r4")
    assert only_refusal(here(*words)).startswith("three.jsonl: there is no row 'r4' in this run")


def test_a_report_leaves_the_collection_of_garbage_as_it_was(here: Here) -> None:
    assert here("report", "run.jsonl").code == 0
    assert gc.isenabled()


def test_limits_that_speak_of_no_row_leave_it_undecided(here: Here) -> None:
    outcome = here("verdict", "run.jsonl", "--limits", "code-completion")
    assert outcome.code == 4
    assert (
        "Undecided: no row is one that these limits speak of; `edgeprof run` with --limits code-completion measures"
    ) in outcome.out
    assert "no row is of code on any device; the rows are of chat@1 on device board" in outcome.out


def test_the_json_that_scripts_rely_on(here: Here, tmp_path: Path) -> None:
    outcome = here("verdict", "run.jsonl", "--limits", limits(tmp_path, "ttft_ms <= 600"), "-f", "json")
    found = msgspec.json.decode(outcome.out, type=JsonVerdicts)
    assert list(json.loads(outcome.out)) == list(JsonVerdicts.__struct_fields__)
    assert [(item.row, item.word) for item in found.judgements] == [
        ("r1", "skip"), ("r2", "skip"), ("r3", "ship"), ("r4", "skip"),
    ]  # fmt: skip
    assert found.judgements[2].settings == {"threads": 4}


def test_the_terminal_answers_in_its_second_line(here: Here, tmp_path: Path) -> None:
    own = limits(tmp_path, "ttft_ms <= 600", "peak_rss_bytes <= 200 MiB")
    lines = here("verdict", "run.jsonl", "--limits", own).out.splitlines()
    assert lines[:2] == ["Chat: Is it quick?", "1 of 4 rows ships: r3; 3 rows to skip."]
    start = lines.index(
        "SHIP       r3  SmolLM2-135M-Q4_0, llama-cpp, threads 4; chat@1 (128 in, 128 out) on A board"
    )
    assert lines[start + 1 : start + 3] == [
        "  ttft_ms <= 600              456 ms    451 to 461 ms                             24% inside   ship",
        "  peak_rss_bytes <= 200 MiB   161 MiB   the largest of 8 processes, no interval   20% inside   ship",
    ]
    assert "  out of memory: it needs 1.2 GiB and 0.9 GiB are free: take a smaller build" in lines


def test_columns_go_where_there_is_little_room() -> None:
    shown = verdict_terminal.render(judged(three(), "decode_tps >= 40"), width=60)
    assert "  decode_tps >= 40   99.8 tok/s   149% inside   ship" in shown.splitlines()


def test_what_is_judged_goes_on_beside_its_word() -> None:
    shown = verdict_terminal.render(judged(three(), "decode_tps >= 40"), width=60).splitlines()
    first = next(n for n, line in enumerate(shown) if line.startswith("SHIP       r1  "))
    assert shown[first + 1].startswith(" " * 11)
    assert max(map(len, shown)) <= 60


@pytest.mark.parametrize(
    ("least", "answer"),
    [
        (30, "Ship: all 3 rows keep every limit."),
        (40, "2 of 3 rows ship: r1, r2; 1 row to skip."),
        (33.3, "2 of 3 rows ship: r1, r2; 1 row undecided."),
        (110, "Skip: 3 rows to skip; none ships."),
    ],
)
def test_the_line_that_answers(least: float, answer: str) -> None:
    assert verdict_terminal.render(judged(three(), f"decode_tps >= {least}")).splitlines()[1] == answer


def test_a_file_gets_its_format_by_suffix_and_the_answer_is_still_said(here: Here, tmp_path: Path) -> None:
    outcome = here("verdict", "run.jsonl", "--limits", limits(tmp_path, "ttft_ms <= 600"), "-o", "v.md")
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err == "1 of 4 rows ships: r3; 3 rows to skip. See v.md\n"
    assert (
        (tmp_path / "v.md").read_text().startswith("## Chat: Is it quick?\n\n**1 of 4 rows ships: r3; 3 rows")
    )


def test_names_in_markdown_are_text_only() -> None:
    seen = run([case("r1", "[a](http://b)|<img src=x>")], rounds("r1", [10.0] * 8))
    shown = verdict_markdown.render(judged(seen, "decode_tps >= 1"))
    assert r"\[a\](http\://b)\|\<img src=x\>" in shown


def test_imported_figures_say_so() -> None:
    made = source(three())
    rows = [replace(row, basis="imported") for row in made.report.rows]
    found = verdicts(
        [replace(made, report=replace(made.report, rows=rows), run=None)], asked("decode_tps >= 30")
    )
    assert "  rests on figures that are imported, not measured here" in verdict_terminal.render(found)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("run.jsonl",), "--limits is missing: give a TOML file of limits or one of board-batch, code-completion, "),
        (("run.jsonl", "--limits", "laptop"), "laptop: there is no such file of limits, and no ready set"),
        (("none.jsonl", "--limits", "laptop-chat"), "none.jsonl cannot be read: No such file or directory"),
        (("run.jsonl", "--limits", "run.jsonl"), "run.jsonl: line 1 has over 1000 characters; break it up"),
        (("run.jsonl", "--limits", "laptop-chat", "-f", "csv"), "there is no format 'csv': accepted: json, markdown"),
        (("run.jsonl", "--limits", "laptop-chat", "-o", "no/v.md"),
         "v.md cannot be written: No such file or directory; choose another place with -o"),
        (("run.jsonl", "--limits", "laptop-chat", "-f", "json", "-o", "run.jsonl"),
         "run.jsonl is a run file, which nothing can make again: choose another name with -o"),
    ],
)  # fmt: skip
def test_bad_input_is_one_sentence(here: Here, words: tuple[str, ...], found: str) -> None:
    assert found in only_refusal(here("verdict", *words))


def test_a_hostile_file_of_limits_is_short_and_harmless(here: Here, tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text('title = "a\\u001b[31m"\nquestion = "Q?"\n[[use]]\nlimits = []\n')
    assert "title holds control characters" in only_refusal(
        here("verdict", "run.jsonl", "--limits", "own.toml")
    )


def test_the_same_input_gives_the_same_bytes() -> None:
    first, second = (verdict_terminal.render(judged(hand_made(), "ttft_ms <= 600")) for _ in range(2))
    assert first == second
    assert read_limits("laptop-chat") == read_limits("laptop-chat")
