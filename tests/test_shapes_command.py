"""`edgeprof build shape`: what it makes, what it says, and every wrong word in one sentence."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from profiler.builds import manifest
from profiler.errors import ExitCode
from profiler.runfile import RandomWeights
from tests.conftest import Command, only_refusal

MODEL = """
id = "small"
name = "Small"
licence = { value = "MIT", source = "our model card" }

[shape]
source = "our config.json"
gguf_architecture = "ARCHITECTURE"
layers = 4
embedding = 256
feed_forward = 512
heads = 4
kv_heads = 2
vocabulary = 512
context_tokens = 512
tied_embedding = true
parameters = 1000000
parameters_read_per_token = 900000
kv_elements_per_token = 1024
"""


@pytest.fixture
def catalogue(tmp_path: Path) -> dict[str, str]:
    """A catalogue of the user's own with one small model."""
    folder = tmp_path / "own" / "models"
    folder.mkdir(parents=True)
    (folder / "small.toml").write_text(MODEL.replace("ARCHITECTURE", "llama"))
    return {"EDGEPROF_CATALOGUE": str(folder.parent)}


def test_a_shape_is_made_and_described(edgeprof: Command, catalogue: dict[str, str], tmp_path: Path) -> None:
    outcome = edgeprof("build", "shape", "small", "--layers", "2", env=catalogue)
    assert outcome.code == 0, outcome.err
    assert outcome.out.splitlines()[1:] == [
        "Layers: 2 of 4; the types of a layer take +0.0% bytes against the model",
        "All weights, biases and routers are random: its speed and memory are a model's, its answers are noise",
        "Next: edgeprof run small-Q4_K_M-2-layers-shape.gguf",
    ]
    again = edgeprof("build", "shape", "small-Q4_K_M-2-layers-shape.gguf", "-o", "copy.gguf", env=catalogue)
    assert again.code == 0, again.err
    sizes = {path.stat().st_size // 1024 for path in tmp_path.glob("*.gguf")}
    assert len(sizes) == 1


def test_an_onnx_folder_of_a_shape_says_that_it_is_random(
    edgeprof: Command, catalogue: dict[str, str], tmp_path: Path
) -> None:
    words = ("build", "shape", "small", "--quant", "q8_0", "--format", "onnx", "-o", "folder")
    outcome = edgeprof(*words, env=catalogue)
    assert outcome.code == 0, outcome.err
    found = manifest.read(tmp_path / "folder")
    assert found is not None
    assert found.source.random_weights == RandomWeights(layers=4, of_layers=4)
    assert not [*tmp_path.glob("*.gguf"), *tmp_path.glob(".*")]


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("deepseek-v3", "shape.gguf: its architecture is deepseek2; the direct writer knows llama"),
        ("llama-3.1-405b", "an ONNX folder takes a GGUF file first, about "),
    ],
)
def test_an_onnx_folder_that_cannot_be_is_refused_before_anything_is_written(
    model: str, said: str, edgeprof: Command, tmp_path: Path
) -> None:
    refused = only_refusal(edgeprof("build", "shape", model, "--quant", "q8_0", "--format", "onnx"))
    assert refused.startswith(said)
    assert not [*tmp_path.glob("*.gguf"), *tmp_path.glob("*onnx*"), *tmp_path.glob(".*")]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("small", "--layers", "9"), "--layers 9: accepted are 1 to 4; choose one of them"),
        (("small", "--experts", "2"), "--experts 2: Small has no experts; leave the option out"),
        (
            ("small", "--quant", "Q4_K_X"),
            "Q4_K_X is no mix that llama.cpp writes; did you mean Q4_K_S or Q4_K_M?",
        ),
        (("small", "--quant", ""), "'' is no mix that llama.cpp writes; accepted: "),
        (("small", "-o", 252 * "x" + ".gguf"), 252 * "x" + ".gguf cannot be written (File name too long): "),
        (("small", "--format", "onx"), "--format onx: did you mean onnx?"),
        (("smal",), "no model is called 'smal'; did you mean small?"),
        (("no.gguf",), "no.gguf is no GGUF file; name one, or a model of `edgeprof models`"),
        (("small", "-o", "no/m.gguf"), "no/m.gguf cannot be written (No such file or directory): "),
        (("bad.gguf",), "bad.gguf: "),
    ],
)
def test_what_cannot_be_is_told_in_a_sentence(
    words: tuple[str, ...], said: str, edgeprof: Command, catalogue: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "bad.gguf").write_bytes(b"GGUF" + bytes(200))
    assert only_refusal(edgeprof("build", "shape", *words, env=catalogue)).startswith(said)


def test_an_architecture_of_which_no_shapes_are_made_is_told(
    edgeprof: Command, catalogue: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "own" / "models" / "small.toml"
    path.write_text(MODEL.replace("ARCHITECTURE", "mamba"))
    said = only_refusal(edgeprof("build", "shape", "small", env=catalogue))
    assert said.startswith("Small: no shapes are made of the architecture mamba; accepted: deepseek2")


def test_files_of_others_beside_it_stay(edgeprof: Command, catalogue: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "a.gguf.part").write_text("precious")
    assert edgeprof("build", "shape", "small", "-o", "a.gguf", env=catalogue).code == 0
    assert (tmp_path / "a.gguf.part").read_text() == "precious"
    assert (tmp_path / "a.gguf").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize("number", ["SIGTERM", "SIGHUP"])
def test_what_ends_it_while_it_writes_leaves_nothing(number: str, tmp_path: Path) -> None:
    words = ["build", "shape", "llama-3.1-8b", "--quant", "F16", "-o", "large.gguf"]
    started = subprocess.Popen([sys.executable, "-m", "profiler", *words], cwd=tmp_path, env=os.environ)
    while started.poll() is None and not list(tmp_path.glob(".*.part")):
        time.sleep(0.005)
    started.send_signal(getattr(signal, number))
    assert started.wait(60) == ExitCode.INTERRUPTED
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit of file sizes")
def test_a_place_that_takes_no_large_files_is_named(
    edgeprof: Command, catalogue: dict[str, str], tmp_path: Path
) -> None:
    import resource

    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    said = only_refusal(edgeprof("build", "shape", "small", env=catalogue, before=small_files))
    assert "takes no file of this size (File too large): set TMPDIR to another disk" in said
    assert not list(tmp_path.glob("*.gguf"))
