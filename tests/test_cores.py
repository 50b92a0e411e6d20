"""Workers bound to cores: the words, boards of two classes, and cases of one run."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from profiler.errors import UserError
from profiler.host.chosen_cores import chosen, cores_among, threads_on
from profiler.host.cpus import read_cpus
from profiler.runfile import read
from tests.conftest import Command, Script, only_refusal
from tests.machines import rock_5b


@pytest.fixture
def board(tmp_path: Path) -> Path:
    """Four little cores, 0 to 3, and four big ones."""
    return rock_5b(tmp_path)


@pytest.mark.parametrize(
    ("word", "numbers"),
    [
        ("big", [4, 5, 6, 7]),
        ("little", [0, 1, 2, 3]),
        ("all", list(range(8))),
        ("4-5", [4, 5]),
        ("0+6-7", [0, 6, 7]),
    ],
)
def test_words_on_a_board_of_two_classes(board: Path, word: str, numbers: list[int]) -> None:
    cpus = read_cpus(board)
    assert chosen(word, cpus, range(8)) == numbers
    assert cores_among(numbers, cpus) == len(numbers)


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("huge", "big, little, all, or numbers"),
        ("8", "may use 0, 1"),
        ("3-1", "may use 0, 1"),
        ("", "are accepted"),
    ],
)
def test_other_words_are_one_sentence(board: Path, word: str, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        chosen(word, read_cpus(board), range(8))


def test_what_is_forbidden_to_a_process_is_not_chosen(board: Path) -> None:
    assert chosen("big", read_cpus(board), [0, 1, 4]) == [4]


def test_a_system_that_binds_nothing() -> None:
    with pytest.raises(UserError, match="this system does not: leave it out"):
        threads_on(["all"], [])


def test_cases_of_one_run(edgeprof: Command, script: Script, tmp_path: Path) -> None:
    """Each pinned worker tells the CPUs that it may use, and has as many threads as they are cores."""
    first = min(os.sched_getaffinity(0))
    words = ("--cores", f"all,{first}", "-p", "8", "-n", "4", "--processes", "1", "-o", "c.jsonl")
    done = edgeprof("run", script(), *words, "-f", "json")
    assert done.code == 0, done.err
    rows = json.loads(done.out)["rows"]
    assert [row["settings"]["cores"] for row in rows] == ["all", str(first)]
    assert rows[1]["settings"]["threads"] == 1
    workers = {worker.case: worker for worker in read(tmp_path / "c.jsonl").workers}
    assert workers["r2"].conditions is not None
    page = edgeprof("report", "c.jsonl", "-f", "markdown")
    assert "cores" in page.out


def test_a_machine_of_one_class_has_no_little_cores(edgeprof: Command, script: Script) -> None:
    refused = only_refusal(edgeprof("run", script(), "--cores", "no-such", "-p", "8", "-n", "4"))
    assert "--cores 'no-such'" in refused
