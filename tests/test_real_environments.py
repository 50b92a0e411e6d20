"""The exporters themselves, in their environments, on tiny models. Skipped where an environment was not made."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from profiler.builds.identify import identify
from profiler.builds.onnx_folder import read_folder
from profiler.environments import environments
from profiler.environments.building import QUANTS, build
from tests.conftest import Command
from tests.tiny_models import LAYERS, gguf_file, hugging_face_folder, needed

WAYS = [(via, quant) for via, quants in QUANTS.items() for quant in quants]
FORMATS = {"optimum": "onnx", "genai": "onnx-genai"}
ENGINES = {"optimum": "ort,optimum", "genai": "ort,ort-genai"}
KEPT = {environments.VARIABLE: str(environments.place())}
"""Commands have a data folder of their own, and no environment in it."""


@pytest.mark.parametrize(("via", "quant"), WAYS, ids=[f"{via} {quant}" for via, quant in WAYS])
def test_a_hugging_face_folder_becomes_a_folder_that_runs(
    edgeprof: Command, tmp_path: Path, via: str, quant: str
) -> None:
    source = hugging_face_folder(needed(via), tmp_path / "tiny")
    folder = tmp_path / "built"
    build(via, source, folder, {"quant": quant}, lambda step: None)
    model = read_folder(folder)
    assert (model.format, model.layers, model.tokenizer) == (FORMATS[via], LAYERS, True)
    words = f"--engine {ENGINES[via]} -p 8 -n 3 --processes 1 --passes 1 --strict -f json".split()
    done = edgeprof("run", folder, *words, env=KEPT)
    assert done.code == 0, done.err
    assert [row["failure"] for row in json.loads(done.out)["rows"]] == [None, None]


@pytest.mark.parametrize("via", QUANTS)
def test_a_gguf_file_becomes_a_folder_that_names_it(edgeprof: Command, tmp_path: Path, via: str) -> None:
    needed(via)
    gguf_file(tmp_path / "tiny.gguf", add_bos=True)
    done = edgeprof("build", "onnx", "tiny.gguf", "--via", via, "-o", "built", env=KEPT)
    assert done.code == 0, done.err
    (found,) = identify([str(tmp_path / "built")])
    assert (found.build.via, found.build.source, found.layout) == (via, "tiny.gguf", via)
    assert found.build.quantization != found.build.source


def test_optimum_refuses_raw_workloads(edgeprof: Command, tmp_path: Path) -> None:
    source = hugging_face_folder(needed("optimum"), tmp_path / "tiny")
    build("optimum", source, tmp_path / "built", {"quant": "none"}, lambda step: None)
    done = edgeprof("run", "built", "--engine", "optimum", "-w", "pp8", env=KEPT)
    assert done.code == 2
    assert "optimum" in done.err
