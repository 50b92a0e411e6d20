"""A fall-back from the engine to the exit code: a notice, or with --strict a row that failed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from profiler.analyse.assigned import assigned
from profiler.analyse.report import report
from profiler.measure.gate import Need, refusal
from profiler.runfile import Failure, read
from tests.conftest import Command, Outcome, Script, only_refusal
from tests.launching import launch
from tests.run_builder import MIB, build, case, rounds, run

SENTENCE = "asked for the moon: the engine runs on earth"
WORDS = ("-p", "4", "-n", "2", "--passes", "1", "--processes", "2", "-f", "json", "-o", "run.jsonl")


def rows(done: Outcome) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(done.out)["rows"]
    return found


class TestWorker:
    def test_without_strict_it_is_a_fact(self, script: Script) -> None:
        seen = launch(script(fell_back=SENTENCE))
        assert seen.failure is None
        assert seen.facts is not None
        assert seen.facts["fell_back"] == SENTENCE

    def test_with_strict_it_fails_before_any_pass_and_keeps_its_facts(self, script: Script) -> None:
        seen = launch(script(fell_back=SENTENCE), strict=True)
        assert seen.failure == Failure(kind="fell_back", message=SENTENCE)
        assert (seen.passes, seen.in_good_order) == ([], True)
        assert seen.facts is not None

    def test_strict_asks_nothing_of_an_engine_that_runs_as_asked(self, script: Script) -> None:
        assert launch(script(), strict=True).failure is None


class TestGate:
    NEED = Need(bytes=100, fell_back=SENTENCE)

    def test_a_fall_back_that_shows_already_is_refused(self) -> None:
        found = refusal(self.NEED, 1000, build("a"), force=True, strict=True)
        assert found == Failure(kind="fell_back", message=SENTENCE)

    def test_unless_nobody_is_strict(self) -> None:
        assert refusal(self.NEED, 1000, build("a"), force=False) is None

    def test_what_the_engine_refuses_comes_first(self) -> None:
        refused = Failure(kind="load_failed", message="no")
        need = Need(bytes=None, failure=refused)
        assert refusal(need, 1000, build("a"), force=False, strict=True) == refused


class TestCommand:
    def test_a_notice(self, edgeprof: Command, script: Script) -> None:
        done = edgeprof("run", script(fell_back=SENTENCE), *WORDS)
        assert done.code == 0, done.err
        (notice,) = [n for n in rows(done)[0]["notices"] if n["code"] == "fell_back"]
        assert notice["seen"] == SENTENCE
        assert "--strict" in notice["advice"]

    @pytest.mark.parametrize("foreseen", [False, True])
    def test_strict_fails_the_case_that_falls_back_alone(
        self, edgeprof: Command, script: Script, tmp_path: Path, foreseen: bool
    ) -> None:
        fallen = script("fallen", fell_back=SENTENCE, foreseen=foreseen)
        done = edgeprof("run", fallen, script("as_asked"), *WORDS, "--strict")
        assert done.code == 0, done.err
        first, second = rows(done)
        assert first["failure"] == {"kind": "fell_back", "message": SENTENCE}
        assert (second["failure"], second["notices"][0]["code"]) == (None, "provisional")
        kept = read(tmp_path / "run.jsonl")
        assert kept.header.plan.strict
        assert [w.started == w.ended for w in kept.workers if w.case == "r1"] == [foreseen]

    @pytest.mark.parametrize("foreseen", [False, True])
    def test_a_run_of_nothing_but_fall_backs_measured_nothing(
        self, edgeprof: Command, script: Script, foreseen: bool
    ) -> None:
        done = edgeprof("run", script(fell_back=SENTENCE, foreseen=foreseen), *WORDS, "--strict")
        assert done.code == 3
        assert rows(done)[0]["failure"]["kind"] == "fell_back"

    def test_the_table_says_so(self, edgeprof: Command, script: Script) -> None:
        done = edgeprof("run", script(fell_back=SENTENCE), *WORDS[:-4], "--strict")
        assert f"script fell back r1: {SENTENCE}" in " ".join(done.out.split())

    def test_dry_run_says_what_would_be_refused(self, edgeprof: Command, script: Script) -> None:
        done = edgeprof("run", script(fell_back=SENTENCE, foreseen=True), "--strict", "--dry-run")
        assert done.code == 0
        assert SENTENCE in " ".join(done.out.split())

    def test_a_resumed_run_goes_by_its_own_plan(self, edgeprof: Command, script: Script) -> None:
        path = script(fell_back=SENTENCE)
        edgeprof("run", path, *WORDS)
        assert only_refusal(edgeprof("run", path, "--resume", "run.jsonl", "--strict")) == (
            "--strict and --resume exclude each other: a run goes on by the plan in its file"
        )

    def test_it_is_no_difference_between_runs(self, edgeprof: Command, script: Script) -> None:
        words = ("run", script(), *WORDS[:-1])
        edgeprof(*words, "loose.jsonl")
        edgeprof(*words, "strict.jsonl", "--strict")
        done = edgeprof("compare", "loose.jsonl", "strict.jsonl", "-f", "json")
        assert done.code == 0, done.err
        assert "strict" not in json.dumps([pair["differs"] for pair in json.loads(done.out)["pairs"]])


class TestNotice:
    def seen(self, *told: str | None) -> list[str]:
        workers = [w for n, said in enumerate(told) for w in self.workers(n, said)]
        return [n.seen for n in report(run([case("r1")], workers)).rows[0].notices if n.code == "fell_back"]

    @staticmethod
    def workers(number: int, said: Any) -> list[Any]:
        return rounds("r1", [10.0] * (number + 1), facts={"fell_back": said})[-1:]

    def test_of_all_workers(self) -> None:
        assert self.seen(SENTENCE, SENTENCE) == [SENTENCE]

    def test_of_some(self) -> None:
        assert self.seen(None, SENTENCE, None) == [f"1 of 3 workers: {SENTENCE}"]

    def test_of_none(self) -> None:
        assert self.seen(None, None) == []

    @pytest.mark.parametrize("nonsense", [3, True, "", [], {"a": 1}])
    def test_what_is_no_sentence_tells_nothing(self, nonsense: Any) -> None:
        assert self.seen(nonsense) == []

    def test_a_long_one_is_cut(self) -> None:
        assert self.seen("x" * 9000) == ["x" * 300]


class TestAssigned:
    def test_nodes(self) -> None:
        assert assigned({"assigned": {"QNNExecutionProvider": 380, "CPUExecutionProvider": 11}}) == (
            "QNNExecutionProvider: 380 nodes; CPUExecutionProvider: 11 nodes"
        )

    def test_nodes_that_are_not_counted(self) -> None:
        assert assigned({"assigned": {"CPUExecutionProvider": None}}) == "CPUExecutionProvider"

    def test_layers_and_buffers_by_place(self) -> None:
        buffers = [
            {"where": "CPU_Mapped", "what": "model", "bytes": 92 * MIB},
            {"where": "CPU", "what": "kv", "bytes": 6 * MIB},
            {"where": "CPU", "what": "compute", "bytes": 3 * MIB},
        ]
        assert assigned({"log": {"layers": {"CPU": 31}, "buffers": buffers}}) == (
            "CPU: 31 layers, 9.0 MiB; CPU_Mapped: 92.0 MiB"
        )

    @pytest.mark.parametrize(
        "facts",
        [
            {},
            {"assigned": [1], "log": 3},
            {"assigned": {}, "log": {"layers": [], "buffers": {"where": "CPU"}}},
            {"log": {"buffers": [None, {"where": 3, "bytes": "many"}]}},
        ],
    )
    def test_nothing_of_what_is_not_told(self, facts: dict[str, Any]) -> None:
        assert assigned(facts) is None

    def test_a_place_of_nonsense_sizes_is_a_name(self) -> None:
        assert (
            assigned({"assigned": {"X": "many"}, "log": {"buffers": [{"where": "Y", "bytes": "z"}]}})
            == "X; Y"
        )
