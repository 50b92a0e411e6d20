"""A build measured in every round only to tie this run to others."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from profiler.analyse.report import report
from profiler.builds.identify import Found
from profiler.catalogue.workloads import parse
from profiler.measure.resuming import matched
from profiler.measure.variants import anchors
from profiler.render import terminal
from profiler.runfile import read
from tests.conftest import Command, Script, only_refusal
from tests.rendering import rendered
from tests.run_builder import build, case, failed, rounds, run

QUICK = ("-p", "4", "-n", "4", "--passes", "1")
DRIFT = [10, 11, 13, 17, 14, 12, 20, 15]


class TestCases:
    def test_default_engine_and_settings_once_for_each_workload(self) -> None:
        found = anchors(build("old"), [parse("chat"), parse("pp512")], threads=3, first=5)
        assert [(c.id, c.build, c.engine, c.workload.id) for c in found] == [
            ("r5", "old", "llama-cpp", "chat@1"), ("r6", "old", "llama-cpp", "pp512"),
        ]  # fmt: skip
        assert found[0].settings["threads"] == 3
        assert found[0].settings["kv"] == "f16"


class TestReport:
    SEEN = run(
        [case("r1", "a"), case("r2", "b"), case("r3", "old", threads=1)],
        rounds("r1", DRIFT), rounds("r2", [gap * 0.8 for gap in DRIFT]), rounds("r3", [gap / 4 for gap in DRIFT]),
        anchors=["r3"],
    )  # fmt: skip

    def test_it_is_a_row_but_no_candidate_and_never_the_best(self) -> None:
        found = report(self.SEEN)
        assert [row.id for row in found.rows] == ["r1", "r2", "r3"]
        assert found.anchors == ["r3"]
        assert {item.candidate for item in found.comparisons} == {"r2"}
        assert found.best == [("decode_tps", "r2")]

    def test_it_may_be_the_base_if_it_is_named(self) -> None:
        assert {item.candidate for item in report(self.SEEN, "r3").comparisons} == {"r1", "r2"}

    @pytest.mark.parametrize("name", ["terminal", "terminal at 60", "markdown"])
    def test_it_is_marked(self, name: str) -> None:
        assert "old (anchor)" in rendered(report(self.SEEN), name)

    def test_a_run_without_one_says_nothing_of_it(self) -> None:
        assert "anchor" not in terminal.render(report(run([case("r1")], rounds("r1", DRIFT))))


def test_help_says_what_it_is_for_and_what_it_costs(edgeprof: Command) -> None:
    words = " ".join(edgeprof("run", "--help").out.replace("│", " ").split())
    assert (
        "only to compare this run with other runs later; inside one run it costs a third of the time and gains nothing"
        in words
    )


def test_it_is_measured_in_every_round_and_comparisons_pass_it_by(
    edgeprof: Command, script: Script, tmp_path: Path
) -> None:
    own, old = script("own", virtual_clock=True), script("old", virtual_clock=True)
    done = edgeprof(
        "run",
        own,
        "--anchor",
        old,
        "--threads",
        "1,2",
        *QUICK,
        "--processes",
        "6",
        "-o",
        "run.jsonl",
        "-f",
        "json",
    )
    assert done.code == 0, done.err
    plan = read(tmp_path / "run.jsonl").header.plan
    assert [(c.id, c.build) for c in plan.cases] == [("r1", "own"), ("r2", "own"), ("r3", "old")]
    assert plan.anchors == ["r3"]
    found = json.loads(done.out)
    assert found["rows"][2]["metrics"]["decode_tps"]["processes"] == 6
    assert {item["candidate"] for item in found["comparisons"]} == {"r2"}


def test_two_runs_with_one_anchor_are_compared_through_it(
    edgeprof: Command, script: Script, tmp_path: Path
) -> None:
    old = script("old", virtual_clock=True, token_ms=10)
    for name, token_ms in (("first", 10), ("second", 11)):
        own = script("m", virtual_clock=True, token_ms=token_ms)
        edgeprof("run", own, "--anchor", old, *QUICK, "--processes", "8", "-o", f"{name}.jsonl")
    outcome = edgeprof(
        "compare", "first.jsonl", "second.jsonl", "--fail-if", "decode_tps < -5%", "-f", "json"
    )
    assert outcome.code == 1
    (pair,) = json.loads(outcome.out)["pairs"]
    assert pair["design"] == "anchored"
    assert pair["comparisons"][1]["ratio"] == pytest.approx(10 / 11)


def test_an_anchor_alone_is_no_measurement(edgeprof: Command, script: Script, tmp_path: Path) -> None:
    """Once the only case of its own has crashed for good, the run is over; it does not go on for its anchor."""
    broken = script("broken", fail={"at": "token", "how": "report", "kind": "load_failed"})
    done = edgeprof("run", broken, "--anchor", script("old"), *QUICK, "--processes", "6", "-o", "run.jsonl")
    assert done.code == 3
    seen = read(tmp_path / "run.jsonl")
    assert seen.ended is not None
    assert seen.ended.reason == "all_failed"
    assert len([worker for worker in seen.workers if worker.case == "r2"]) <= 1


def test_resume_takes_the_anchor_up_again(edgeprof: Command, script: Script, tmp_path: Path) -> None:
    own, old = script("own", virtual_clock=True), script("old", virtual_clock=True)
    edgeprof("run", own, "--anchor", old, *QUICK, "--processes", "3", "-o", "run.jsonl")
    file = tmp_path / "run.jsonl"
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:3]))
    missing = only_refusal(edgeprof("run", own, "--resume", file))
    assert missing.endswith(
        "which is not among the builds given: name the same files again, its --anchor too"
    )
    assert edgeprof("run", own, "--anchor", old, "--resume", file).code == 0
    seen = read(file)
    assert seen.ended is not None
    assert {(w.round, w.case) for w in seen.workers} == {(n, c) for n in range(3) for c in ("r1", "r2")}


def test_builds_alike_in_name_and_size_are_resumed_in_the_order_given(tmp_path: Path) -> None:
    builds = [build("m#1", name="m.gguf"), build("m#2", name="m.gguf")]
    header = run([case("r1", "m#1"), case("r2", "m#2")], builds=builds).header
    asked = [parse("chat")]
    plan = header.plan
    cases = [msgspec.structs.replace(c, workload=asked[0]) for c in plan.cases]
    header = msgspec.structs.replace(header, plan=msgspec.structs.replace(plan, cases=cases))
    found = [
        Found(build=b, path=tmp_path / folder / "m.gguf")
        for b, folder in zip(builds, ("old", "new"), strict=True)
    ]
    assert [path.parent.name for path in matched(header, found).values()] == ["old", "new"]


def test_a_failed_anchor_is_told_like_any_row() -> None:
    seen = run(
        [case("r1", "a"), case("r2", "old")],
        rounds("r1", DRIFT),
        [failed("r2", 0, "crashed", "x")],
        anchors=["r2"],
    )
    assert report(seen).rows[1].failure is not None
