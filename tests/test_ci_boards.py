"""The recipe of docs/ci-boards.md, run for real with a board whose ssh is our own."""

from __future__ import annotations

import importlib
import importlib.util
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from profiler.runfile import read_boards
from tests.boards import FakeBoard
from tests.conftest import Outcome, Script

DOCS = Path(__file__).parents[1] / "docs"
RECIPE = DOCS / "ci" / "boards.sh"
QUICK = "-p 4 -n 4 --passes 1 --processes 8 --settle 0s"
TWO = ("one=pi@one", "two=pi@two")

Night = Callable[..., Outcome]


@pytest.fixture
def night(own_folders: dict[str, str], tmp_path: Path) -> Night:
    """`boards.sh BASELINE CANDIDATE BOARD...` beside `edgeprof-boards/`."""
    board = FakeBoard(tmp_path)

    def call(*words: str | Path, **variables: str) -> Outcome:
        known = {"EDGEPROF": f"{sys.executable} -m profiler", "RUN_FLAGS": QUICK, "PYTHON": sys.executable}
        done = subprocess.run(
            ["sh", str(RECIPE), *map(str, words)],
            check=False, cwd=tmp_path, env=own_folders | board.env | known | variables, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=240,
        )  # fmt: skip
        return Outcome(done.returncode, done.stdout, done.stderr)

    return call


def steady(script: Script, name: str, token_ms: float, **also: Any) -> Path:
    return script(name, virtual_clock=True, token_ms=token_ms, **also)


def test_every_board_has_its_verdict_and_all_one_page(night: Night, script: Script, tmp_path: Path) -> None:
    done = night(steady(script, "old", 10), steady(script, "new", 10), *TWO)
    assert done.code == 0, done.err
    out = tmp_path / "edgeprof-boards"
    assert sorted(read_boards(out / "boards.jsonl")) == ["one", "two"]
    for name in ("one", "two"):
        assert (out / f"{name}.md").read_text().startswith("## edgeprof: gate passed\n")
        assert "<testsuite " in (out / f"{name}.xml").read_text()
    page = (out / "boards.html").read_text()
    assert "boards.jsonl#one" in page
    assert "boards.jsonl#two" in page


def test_slower_on_one_fails_and_a_board_that_is_off_does_not_hide_it(
    night: Night, script: Script, tmp_path: Path
) -> None:
    done = night(steady(script, "old", 10), steady(script, "new", 13), TWO[0], "off=gone@board")
    assert done.code == 1, done.err
    assert "board gone@board: no machine has this name" in done.err
    assert "boards: one: 1" in done.err
    assert "boards: off: 2" in done.err


def test_given_again_it_goes_on(night: Night, script: Script, tmp_path: Path) -> None:
    words = (steady(script, "old", 10), steady(script, "new", 10), *TWO)
    assert night(*words).code == 0
    kept = (tmp_path / "edgeprof-boards" / "boards.jsonl").read_bytes()
    again = night(*words)
    assert again.code == 0, again.err
    assert "Board one: its run is over" in again.err
    assert (tmp_path / "edgeprof-boards" / "boards.jsonl").read_bytes() == kept


@pytest.mark.parametrize(
    ("words", "said"), [(("a", "b"), "usage: "), (("a", "b", "pi@one"), "name it, as in")]
)
def test_what_is_given_wrong(night: Night, words: tuple[str, ...], said: str) -> None:
    done = night(*words)
    assert done.code == 2
    assert said in done.err


def test_the_variables_are_those_that_the_script_reads() -> None:
    text = RECIPE.read_text("utf-8")
    documented = re.findall(r"^#   ([A-Z_]+) ", text, re.MULTILINE)
    assert sorted(documented) == sorted(re.findall(r"^([A-Z_]+)=\$\{\1:-", text, re.MULTILINE))


@pytest.mark.skipif(importlib.util.find_spec("yaml") is None, reason="there is no YAML parser here")
def test_the_workflow_is_whole() -> None:
    text = (DOCS / "ci-boards.md").read_text("utf-8")
    (workflow,) = re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    steps = importlib.import_module("yaml").safe_load(workflow)["jobs"]["gate"]["steps"]
    (judge,) = [step for step in steps if "boards.sh" in step.get("run", "")]
    documented = set(re.findall(r"^#   ([A-Z_]+) ", RECIPE.read_text("utf-8"), re.MULTILINE))
    assert set(judge["env"]) <= documented
    assert judge["env"]["FAIL_IF"].splitlines() == ["decode_tps < -5%", "peak_rss_bytes > 5%"]
