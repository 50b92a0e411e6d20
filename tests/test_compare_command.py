"""`edgeprof compare` as people type it: files, rows, conditions, exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from profiler import runfile
from profiler.runfile import Hashes, Run
from tests.conftest import Command, only_refusal
from tests.run_builder import case, failed, rounds, run

DRIFT = [10, 11, 13, 17, 14, 12, 20, 15]
GATE = ("--fail-if", "decode_tps < -3%")


def stored(folder: Path, seen: Run, name: str = "run.jsonl") -> Path:
    path = folder / name
    with path.open("xb", buffering=0) as file:
        for record in (seen.header, *seen.workers, Hashes(sha256=seen.sha256), *seen.events):
            runfile.append(file, record)
    return path


def two(*factors: float) -> Run:
    cases = [case(f"r{n}", f"m{n}") for n in range(1, len(factors) + 2)]
    workers = [
        rounds(f"r{n}", [gap * factor for gap in DRIFT]) for n, factor in enumerate((1.0, *factors), start=1)
    ]
    return run(cases, *workers)


def alone(factor: float = 1.0) -> Run:
    return run([case("r1", "m")], rounds("r1", [gap * factor for gap in DRIFT]))


@pytest.mark.parametrize(
    ("factor", "words", "code"),
    [
        (1.1, GATE, 1),
        (1.0, GATE, 0),
        (0.8, GATE, 0),
        (1.1, (), 0),
        (1.1, ("--fail-if", "load_ms > 5%"), 4),
        (1.1, ("--fail-if", "load_ms > 5%", *GATE), 1),
        (1.0, ("--fail-if", "ttft_ms > 5%", *GATE), 0),
    ],
)
def test_exit_codes_in_one_run(
    edgeprof: Command, tmp_path: Path, factor: float, words: tuple[str, ...], code: int
) -> None:
    outcome = edgeprof("compare", stored(tmp_path, two(factor)), *words)
    assert outcome.code == code
    assert outcome.err == ""
    assert outcome.out


def test_two_runs_without_an_anchor_are_undecided(edgeprof: Command, tmp_path: Path) -> None:
    files = stored(tmp_path, alone(), "a.jsonl"), stored(tmp_path, alone(1.1), "b.jsonl")
    outcome = edgeprof("compare", *files, *GATE)
    assert outcome.code == 4
    assert "b.jsonl r1 m against a.jsonl r1 m" in outcome.out


def test_a_candidate_that_failed_to_measure_fails_the_gate(edgeprof: Command, tmp_path: Path) -> None:
    crashed = run([case("r1", "m")], [failed("r1", 0, "crashed", "signal 11")], ended="all_failed")
    files = stored(tmp_path, alone(), "a.jsonl"), stored(tmp_path, crashed, "b.jsonl")
    assert edgeprof("compare", *files, *GATE).code == 1
    assert edgeprof("compare", *reversed(files), *GATE).code == 4


@pytest.mark.parametrize(
    ("words", "pairs"),
    [
        (["run.jsonl"], [("r1", "r2"), ("r1", "r3")]),
        (["run.jsonl", "run.jsonl"], [("r1", "r2"), ("r1", "r3")]),
        (["run.jsonl", "./run.jsonl"], [("r1", "r2"), ("r1", "r3")]),
        (["run.jsonl#r2"], [("r2", "r1"), ("r2", "r3")]),
        (["run.jsonl", "#r3"], [("r1", "r3")]),
        (["run.jsonl#r3", "#r2"], [("r3", "r2")]),
        (["run.jsonl#r3", "run.jsonl#r2"], [("r3", "r2")]),
    ],
)
def test_rows_are_named_behind_a_hash(
    edgeprof: Command, tmp_path: Path, words: list[str], pairs: list[tuple[str, str]]
) -> None:
    stored(tmp_path, two(1.1, 1.2))
    found = json.loads(edgeprof("compare", *words, "-f", "json").out)
    assert [(pair["base"], pair["candidate"]) for pair in found["pairs"]] == pairs
    assert {pair["design"] for pair in found["pairs"]} == {"paired"}


def test_a_file_whose_name_has_a_hash_is_a_file(edgeprof: Command, tmp_path: Path) -> None:
    stored(tmp_path, two(1.1), "run#1.jsonl")
    assert edgeprof("compare", "run#1.jsonl").code == 0
    assert edgeprof("compare", "run#1.jsonl#r1").code == 0


def test_the_suffix_says_the_format_and_the_verdict_is_still_said(edgeprof: Command, tmp_path: Path) -> None:
    stored(tmp_path, two(1.1))
    outcome = edgeprof("compare", "run.jsonl", *GATE, "-o", "c.md", "--junit", "j.xml")
    assert (outcome.code, outcome.out, outcome.err) == (1, "", "gate failed: see c.md\n")
    assert (tmp_path / "c.md").read_text().startswith("## edgeprof: gate failed\n")
    (suite,) = ElementTree.parse(tmp_path / "j.xml").getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("1", "1")
    assert edgeprof("compare", "run.jsonl", "-o", "c.json").err == ""
    assert json.loads((tmp_path / "c.json").read_text())["result"] is None


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["none.jsonl"], "none.jsonl cannot be read: No such file or directory"),
        (["run.jsonl", "none.jsonl"], "none.jsonl cannot be read"),
        (["run.jsonl#r9"], "there is no row 'r9' in this run: accepted: r1, r2"),
        (["run.jsonl#"], "'run.jsonl#': a run file is accepted, with a row of it if you like, as in run.jsonl#r2"),
        (["#r1"], "'#r1': a run file is accepted"),
        (["run.jsonl", "--fail-if", "decode_tsp < -3%"], "did you mean decode_tps"),
        (["run.jsonl", "--fail-if", "decode_tps -3%"], "a metric, one of < <= > >= and a percentage are accepted"),
        (["run.jsonl", "--junit", "j.xml"], "--junit writes what the conditions came to: give one with --fail-if"),
        (["run.jsonl", "-f", "csv"], "there is no format 'csv': accepted: json, markdown, terminal"),
        (["run.jsonl", "-o", "c.csv"], "c.csv: its suffix names no format; use one of .txt, .md, .markdown, .json"),
        (["run.jsonl", "-o", "no/c.md"], "c.md cannot be written: No such file or directory"),
    ],
)  # fmt: skip
def test_bad_input_is_one_sentence(edgeprof: Command, tmp_path: Path, words: list[str], found: str) -> None:
    stored(tmp_path, two(1.1))
    assert found in only_refusal(edgeprof("compare", *words))
