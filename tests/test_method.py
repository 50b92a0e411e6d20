"""docs/method.md says what is so: its commands exist, its table and its worked example are computed anew."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer.main

from profiler import runfile
from profiler.analyse.explanation import explain
from profiler.analyse.ratio_explanation import explain_ratio
from profiler.analyse.statistics import signed_rank_k
from profiler.cli.app import app
from profiler.render import explained, explained_ratio
from profiler.render.terminal import WIDTH_WITHOUT_TERMINAL, as_text

ROOT = Path(__file__).parents[1]
METHOD = (ROOT / "docs" / "method.md").read_text("utf-8")
COMMANDS = set(typer.main.get_command(app).list_commands(None))  # type: ignore[attr-defined]
WORKED = re.findall(r"^\$ (edgeprof explain .*)\n((?:(?!```).*\n)+)", METHOD, re.MULTILINE)


def test_every_command_is_a_real_one() -> None:
    named = set(re.findall(r"(?:^|`|\$ )edgeprof ([a-z]+)", METHOD, re.MULTILINE))
    assert named
    assert named <= COMMANDS


def test_the_table_of_k() -> None:
    rows = re.findall(r"^\| (\d+) \| (\d+) \| (\d+) \| (\d+|-) \|$", METHOD, re.MULTILINE)
    assert len(rows) == 11
    for n, averages, k95, k98 in rows:
        assert int(averages) == int(n) * (int(n) + 1) // 2
        assert int(k95) == signed_rank_k(int(n), 0.95)
        assert (0 if k98 == "-" else int(k98)) == signed_rank_k(int(n), 0.982)


@pytest.mark.parametrize(("typed", "excerpt"), WORKED, ids=[typed for typed, _ in WORKED])
def test_the_worked_example_is_what_the_command_prints(typed: str, excerpt: str) -> None:
    _, _, file, row, metric, *base = shlex.split(typed)
    run = runfile.read(ROOT / file)
    if base:
        part = explained_ratio.renderable(explain_ratio(run, row, metric, base[1]), every=False)
    else:
        part = explained.renderable(explain(run, row, metric), every=False)
    printed = as_text(part, WIDTH_WITHOUT_TERMINAL).splitlines()
    assert [line for line in excerpt.splitlines() if line not in printed] == []


def test_there_are_two_worked_examples() -> None:
    assert len(WORKED) == 2


def test_links_lead_somewhere() -> None:
    headings = {re.sub(r"[^a-z0-9 -]", "", line.lower()).strip().replace(" ", "-") for line in _headings()}
    for target in re.findall(r"\]\(([^)]+)\)", METHOD):
        place, _, anchor = target.partition("#")
        assert anchor in headings if anchor else (ROOT / "docs" / place).exists()


def _headings() -> list[str]:
    return re.findall(r"^#+ (.*)$", METHOD, re.MULTILINE)


def test_what_code_refers_to_is_a_section() -> None:
    """Docstrings cite sections of it by name."""
    cited = set()
    for path in (ROOT / "profiler").rglob("*.py"):
        text = " ".join(path.read_text("utf-8").split())
        cited |= set(re.findall(r'docs/method\.md, "([^"]+)"', text))
    assert cited
    assert cited <= set(_headings())
