"""`edgeprof run --as-shape`: a tiny model of the user's own catalogue, as shapes on the real engine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from profiler.analyse.report import Report, report
from profiler.runfile import Run, read
from tests.boards import FakeBoard
from tests.conftest import Command, only_refusal

pytest.importorskip("llama_cpp")

TINY = """
id = "tiny"
name = "Tiny"
[shape]
source = "made up"
gguf_architecture = "llama"
layers = 12
embedding = 256
feed_forward = 768
heads = 4
kv_heads = 2
head_length = 64
rope_theta = 10_000
vocabulary = 512
context_tokens = 2048
tied_embedding = false
parameters = 9_704_704
parameters_read_per_token = 9_573_632
kv_elements_per_token = 3072
"""
SHORT = ("-w", "tg4", "--processes", "1", "--passes", "1", "--settle", "0s")
SHAPES = ("--as-shape", "--quant", "Q8_0", "--layers", "2,4", "--force")


@pytest.fixture
def own_model(tmp_path: Path) -> dict[str, str]:
    """A catalogue with the tiny model."""
    (tmp_path / "catalogue" / "models").mkdir(parents=True)
    (tmp_path / "catalogue" / "models" / "tiny.toml").write_text(TINY)
    return {"EDGEPROF_CATALOGUE": str(tmp_path / "catalogue")}


def left_behind(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "cache" / "edgeprof" / "shapes").glob("*"))


def written(path: Path) -> tuple[Run, Report]:
    seen = read(path)
    return seen, report(seen)


def test_it_is_extrapolated_to_all_layers_and_nothing_is_left(
    edgeprof: Command, own_model: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "run.jsonl"
    done = edgeprof("run", "tiny", *SHAPES, *SHORT, "-o", path, env=own_model)
    assert done.code == 0, done.err
    seen, found = written(path)
    (whole,) = seen.header.plan.extrapolations
    assert [shape.layers for shape in whole.shapes] == [2, 4]
    assert (whole.model, whole.mix, whole.layers, whole.full.quantization) == ("tiny", "Q8_0", 12, "Q8_0")
    assert [(row.id, row.basis) for row in found.rows] == [
        ("x1", "extrapolated"),
        ("r1", "measured"),
        ("r2", "measured"),
    ]
    assert found.rows[0].metrics["kv_bytes"].value
    assert whole.cases[0].weights_bytes == pytest.approx(whole.full.weights_bytes, rel=0.01)
    assert left_behind(tmp_path) == []


def test_a_run_that_is_interrupted_leaves_nothing_and_goes_on(
    edgeprof: Command, own_model: dict[str, str], tmp_path: Path
) -> None:
    """A copy of the run file that was cut after its first worker is what an interruption leaves."""
    path, cut = tmp_path / "run.jsonl", tmp_path / "cut.jsonl"
    edgeprof("run", "tiny", *SHAPES, *SHORT, "-o", path, env=own_model)
    cut.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:2]))
    done = edgeprof("run", "tiny", "--as-shape", "--resume", cut, env=own_model)
    assert done.code == 0, done.err
    again, found = written(cut)
    assert again.sha256 == read(path).sha256
    assert found.stopped == "rounds"
    assert left_behind(tmp_path) == []


def test_shapes_of_a_run_that_was_killed_go_with_the_next_one(
    edgeprof: Command, own_model: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "cache" / "edgeprof" / "shapes"
    (folder / "run-dead").mkdir(parents=True)
    (folder / "run-dead" / "model.gguf").write_bytes(b"left")
    lock = folder / "run-dead.lock"
    lock.touch()
    os.utime(lock, (0, 0))
    done = edgeprof("run", "tiny", *SHAPES, "--dry-run", env=own_model)
    assert done.code == 0, done.err
    assert "x1  tiny-Q8_0: 12 layers, extrapolated from r1, r2; would need about" in done.out
    assert left_behind(tmp_path) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("tinny", "--as-shape"), "no word is the id of one: did you mean tiny?"),
        (("tiny", "tiny", "--as-shape"), "tiny is named twice"),
        (("tiny", "--layers", "2,4"), "--layers says how shapes are made: add --as-shape"),
        (("tiny", "--as-shape", "--layers", "2,x"), "whole numbers are accepted"),
        (("tiny", "--as-shape", "--layers", "4,12"), "tiny has 12, and a shape has fewer"),
        (("tiny", "--as-shape", "--layers", "0,4"), "--layers 0: accepted are 1 to 11; choose one of them"),
        (("tiny", "--as-shape", "--layers", "2,4"), "times the last-level cache"),
        (("tiny", "--as-shape", "--experts", "4"), "tiny has no experts"),
        (("tiny", "--as-shape", "--quant", "Q3"), "is no mix that llama.cpp writes"),
        (("tiny", "--as-shape", "--cold"), "--cold and --as-shape exclude each other"),
        (("tiny", "--as-shape", "--quant", ""), "is no mix that llama.cpp writes"),
        (
            ("tiny", "--as-shape", "--context", "4096"),
            "--context 4096 is 4,096 tokens, and tiny was made for 2,048",
        ),
        (("tiny", "--as-shape", "-p", "2000"), "chat@1 takes 2,128 tokens, and tiny was made for 2,048"),
    ],
)
def test_what_cannot_be_asked(
    edgeprof: Command, own_model: dict[str, str], tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    assert said in only_refusal(edgeprof("run", *words, "--dry-run", env=own_model))
    assert left_behind(tmp_path) == []


def test_on_a_board_it_is_measured_there_and_leaves_nothing(
    edgeprof: Command, own_model: dict[str, str], tmp_path: Path
) -> None:
    board, path = FakeBoard(tmp_path), tmp_path / "run.jsonl"
    words = ("run", "tiny", *SHAPES, *SHORT, *board.words)
    done = edgeprof(*words, "-o", path, env=own_model | board.env)
    assert done.code == 0, done.err
    _, found = written(path)
    (row,) = [row for row in found.rows if row.basis == "extrapolated"]
    assert row.metrics["tg_tps"].value is not None
    assert not left_behind(tmp_path)
    assert not [file for file in board.folder.glob("builds/*/*") if file.is_file()]
