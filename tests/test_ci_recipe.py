"""The recipe of docs/ci.md, run for real with builds of the scripted engine."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from profiler import runfile
from tests.conftest import Outcome, Script

DOCS = Path(__file__).parents[1] / "docs"
GATE = DOCS / "ci" / "gate.sh"
QUICK = "-p 4 -n 4 --passes 1 --processes 12 --settle 0s --stall 20s"
LIMIT_S = 120

Gate = Callable[..., Outcome]


@pytest.fixture
def gate(own_folders: dict[str, str], tmp_path: Path) -> Gate:
    """`gate.sh BASELINE CANDIDATE` with these variables, beside `edgeprof-gate/`."""

    def call(baseline: str | Path, candidate: str | Path, **variables: str) -> Outcome:
        known = {"EDGEPROF": f"{sys.executable} -m profiler", "RUN_FLAGS": QUICK}
        done = subprocess.run(
            ["sh", str(GATE), str(baseline), str(candidate)],
            check=False, cwd=tmp_path, env=own_folders | known | variables, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=LIMIT_S,
        )  # fmt: skip
        return Outcome(done.returncode, done.stdout, done.stderr)

    return call


def steady(script: Script, name: str, token_ms: float | list[float], **also: Any) -> Path:
    return script(name, virtual_clock=True, token_ms=token_ms, **also)


def suite(folder: Path) -> dict[str, str]:
    (found,) = ElementTree.parse(folder / "edgeprof-gate" / "junit.xml").getroot()
    return {name: found.attrib[name] for name in ("tests", "failures", "skipped")}


def table(folder: Path) -> str:
    return (folder / "edgeprof-gate" / "compare.md").read_text()


def test_the_same_speed_passes_in_one_interleaved_run(gate: Gate, script: Script, tmp_path: Path) -> None:
    done = gate(steady(script, "old", 10), steady(script, "new", 10))
    assert done.code == 0, done.err
    assert table(tmp_path).startswith("## edgeprof: gate passed\n")
    assert table(tmp_path) in done.out
    assert suite(tmp_path) == {"tests": "1", "failures": "0", "skipped": "0"}
    seen = runfile.read(tmp_path / "edgeprof-gate" / "run.jsonl")
    assert [build.name for build in seen.header.plan.builds] == ["old.json", "new.json"]
    assert {worker.round for worker in seen.workers} == set(range(12))


def test_slower_beyond_the_limit_fails_and_leaves_the_baseline(
    gate: Gate, script: Script, tmp_path: Path
) -> None:
    old = steady(script, "old", 10)
    before = old.read_bytes()
    done = gate(old, steady(script, "new", 11), KEEP="yes")
    assert done.code == 1
    assert table(tmp_path).startswith("## edgeprof: gate failed\n")
    assert suite(tmp_path) == {"tests": "1", "failures": "1", "skipped": "0"}
    assert old.read_bytes() == before


@pytest.mark.parametrize(("choice", "code"), [("4", 4), ("0", 0)])
def test_undecided_is_the_users_choice(
    gate: Gate, script: Script, tmp_path: Path, choice: str, code: int
) -> None:
    old, unsteady = steady(script, "old", 10), steady(script, "new", [9.5, 11.2, 9.9, 10.9])
    before = old.read_bytes()
    assert gate(old, unsteady, UNDECIDED=choice, KEEP="yes").code == code
    assert table(tmp_path).startswith("## edgeprof: gate undecided\n")
    assert suite(tmp_path) == {"tests": "1", "failures": "0", "skipped": "1"}
    assert old.read_bytes() == before, "what was not shown to be as fast does not replace the baseline"


def test_a_candidate_that_crashes_fails(gate: Gate, script: Script, tmp_path: Path) -> None:
    broken = steady(script, "new", 10, fail={"at": "token", "how": "abort"})
    assert gate(steady(script, "old", 10), broken).code == 1
    assert "new failed to measure" in table(tmp_path) or "r2 failed to measure" in table(tmp_path)
    assert suite(tmp_path) == {"tests": "1", "failures": "1", "skipped": "0"}


def test_a_candidate_that_does_not_load_fails_before_anything_is_measured(
    gate: Gate, script: Script, tmp_path: Path
) -> None:
    (tmp_path / "new.gguf").write_bytes(b"<!DOCTYPE html>")
    done = gate(steady(script, "old", 10), "new.gguf")
    assert done.code == 1
    assert "it looks like a web page" in done.err
    assert suite(tmp_path) == {"tests": "1", "failures": "1", "skipped": "0"}
    assert not (tmp_path / "edgeprof-gate" / "run.jsonl").exists()


def test_what_is_wrong_with_the_pipeline_is_no_fault_of_the_candidate(
    gate: Gate, script: Script, tmp_path: Path
) -> None:
    new = steady(script, "new", 10)
    assert gate("none.gguf", new).code == 2
    assert gate(new, "none.gguf").code == 2
    assert gate(new, new, RUN_FLAGS="--no-such-flag").code == 2
    assert gate(new, new, FAIL_IF="decode_tsp < -3%", RUN_FLAGS=QUICK.replace("12", "1")).code == 2


def test_the_baseline_is_replaced_only_if_that_is_asked_and_the_first_one_is_the_candidate(
    gate: Gate, script: Script, tmp_path: Path
) -> None:
    first, faster = steady(script, "first", 10), steady(script, "faster", 8)
    kept = tmp_path / "kept" / "model.json"
    assert gate(kept, first, KEEP="yes").code == 0
    assert kept.read_bytes() == first.read_bytes()
    assert gate(kept, faster).code == 0
    assert kept.read_bytes() == first.read_bytes()
    assert gate(kept, faster, KEEP="yes").code == 0
    assert kept.read_bytes() == faster.read_bytes()
    assert [path.name for path in kept.parent.iterdir()] == ["model.json"]


def test_every_line_is_a_condition_of_its_own(gate: Gate, script: Script, tmp_path: Path) -> None:
    conditions = "decode_tps < -3%\n\nttft_ms > 5%\n"
    assert gate(steady(script, "old", 10), steady(script, "new", 11), FAIL_IF=conditions).code == 1
    assert suite(tmp_path)["tests"] == "2"


def test_the_workflow_is_whole() -> None:
    text = (DOCS / "ci.md").read_text("utf-8")
    (workflow,) = re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    if importlib.util.find_spec("yaml") is None:
        assert all(f"\n{key}:" in workflow for key in ("on", "jobs", "permissions"))
        assert "\t" not in workflow
        return
    yaml = importlib.import_module("yaml")
    steps = yaml.safe_load(workflow)["jobs"]["gate"]["steps"]
    (judge,) = [step for step in steps if "gate.sh" in step.get("run", "")]
    documented = set(re.findall(r"^#   ([A-Z_]+) ", GATE.read_text("utf-8"), re.MULTILINE))
    assert set(judge["env"]) <= documented
    assert judge["env"]["FAIL_IF"].splitlines() == ["decode_tps < -5%", "peak_rss_bytes > 5%"]


def test_the_variables_are_those_that_the_script_reads() -> None:
    text = GATE.read_text("utf-8")
    documented = re.findall(r"^#   ([A-Z_]+) ", text, re.MULTILINE)
    assert sorted(documented) == sorted(re.findall(r"^([A-Z_]+)=\$\{\1:-", text, re.MULTILINE))
