"""The committed reports say what their run files say; renew them with EDGEPROF_RENEW_GOLDEN=1."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from profiler import runfile
from profiler.analyse.report import report
from profiler.render import formats
from tests.conftest import Command

REPORTS = Path(__file__).parents[1] / "reports"
REVIEW = REPORTS.parent / "docs" / "review.example.toml"
RUNS = sorted(REPORTS.glob("*/*.jsonl"))
SIZES = ("sizes/7b.jsonl", "sizes/70b.jsonl", "sizes/405b.jsonl")


def called(path: Path) -> str:
    """The folder of a run, and its name where the folder has several."""
    return path.parent.name if path.stem == "run" else f"{path.parent.name}/{path.stem}"


def test_there_is_a_committed_run() -> None:
    assert RUNS


@pytest.mark.parametrize("path", RUNS, ids=called)
@pytest.mark.parametrize("kind", [".txt", ".md"])
def test_a_committed_report_is_what_its_run_file_gives(path: Path, kind: str) -> None:
    target = path.with_name("report" if path.stem == "run" else path.stem).with_suffix(kind)
    shown = formats.render(report(runfile.read(path)), formats.chosen(None, target))
    if os.environ.get("EDGEPROF_RENEW_GOLDEN"):
        target.write_text(shown, "utf-8")
    assert target.read_text("utf-8") == shown


def undrawn(page: str) -> str:
    """A page without its charts, whose bytes are those of one version of the library that draws them."""
    return re.sub(r"<svg.*?</svg>", "<svg/>", page, flags=re.DOTALL)


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("demo/report.html", ["demo/run.jsonl"]),
        ("demo/side-by-side.html", ["demo/run.jsonl", "--side-by-side", "--review", str(REVIEW)]),
        ("verdict/report.html", ["verdict/run.jsonl", "--limits", "laptop-chat"]),
        ("sizes/side-by-side.html", [*SIZES, "--side-by-side"]),
        ("sizes/405b.html", ["sizes/405b.jsonl"]),
    ],
)
def test_a_committed_page_is_what_its_run_file_gives(page: str, words: list[str], edgeprof: Command) -> None:
    shown = edgeprof("report", *words, "-f", "html", cwd=REPORTS).out
    if os.environ.get("EDGEPROF_RENEW_GOLDEN"):
        (REPORTS / page).write_text(shown, "utf-8")
    assert undrawn((REPORTS / page).read_text("utf-8")) == undrawn(shown)


@pytest.mark.parametrize("path", RUNS, ids=called)
def test_a_committed_run_file_names_no_place(path: Path) -> None:
    text = path.read_text("utf-8")
    for word in ("/home/", "/root/", "/tmp/", "/usr/"):
        assert word not in text
