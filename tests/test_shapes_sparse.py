"""Sparse shapes: every model of the catalogue, as the engine counts it, and what is said of a wrong mix."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest

from profiler.builds.describe import describe
from profiler.builds.gguf import read_header
from profiler.builds.shapes import mixes
from profiler.builds.shapes.sparse import sparse_build
from profiler.catalogue.models import load_model, load_models
from profiler.errors import UserError

CHILD = """
import ctypes, json, sys
import llama_cpp.llama_cpp as lib
quiet = lib.llama_log_callback(lambda *_: None)
lib.llama_log_set(quiet, ctypes.c_void_p(0))
found = {}
for path in sys.argv[1:]:
    params = lib.llama_model_default_params()
    params.no_alloc, params.load_mode = True, 0
    model = lib.llama_model_load_from_file(path.encode(), params)
    found[path] = [lib.llama_model_n_params(model), lib.llama_model_size(model)] if model else None
    lib.llama_model_free(model)
print(json.dumps(found))
"""


def engine_says(paths: list[Path]) -> dict[str, list[int]]:
    """Parameters and bytes of weights of each file, as llama.cpp counts them without loading any."""
    words = [sys.executable, "-c", CHILD, *map(str, paths)]
    done = subprocess.run(words, check=True, capture_output=True, timeout=120)
    found: dict[str, list[int]] = json.loads(done.stdout)
    return found


def rope_tables(path: Path) -> int:
    tensors = read_header(path).tensors
    return sum(tensor.shape[0] for tensor in tensors if tensor.name.startswith("rope_"))


def test_every_model_of_the_catalogue_is_what_the_engine_counts() -> None:
    models = load_models()
    with ExitStack() as stack:
        paths = {
            id: stack.enter_context(sparse_build(model.shape, model.name, "Q4_K_M"))
            for id, model in models.items()
        }
        counted = engine_says(list(paths.values()))
        for id, path in paths.items():
            parameters, size = counted[str(path)]
            described = describe(read_header(path))
            assert parameters - rope_tables(path) == models[id].shape.parameters, id
            assert (described.parameters, described.weights_bytes) == (parameters, size), id
            assert described.kv_elements_per_token == models[id].shape.kv_elements_per_token, id
            assert described.quantization.startswith("Q4_K_M"), id
            assert path.stat().st_blocks * 512 < 1 << 20, id


@pytest.mark.parametrize("id", ["llama-3.1-8b", "qwen3-30b-a3b", "gemma-3-1b"])
def test_the_reference_mix_takes_the_bytes_that_stand_in_the_catalogue(id: str) -> None:
    shape = load_model(id).shape
    assert shape.reference is not None
    with sparse_build(shape, id, shape.reference.quantization) as path:
        weights = describe(read_header(path)).weights_bytes
        assert weights - 4 * rope_tables(path) == pytest.approx(shape.reference.weights_bytes, abs=256)


def test_the_mix_does_not_depend_on_the_type_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    shape = load_model("qwen3-30b-a3b").shape

    def types() -> list[str]:
        with sparse_build(shape, "x", "q3_k_m") as path:
            return [tensor.type_name for tensor in read_header(path).tensors]

    small = types()
    monkeypatch.setattr(mixes, "SMALL", "F16")
    assert types() == small


def test_a_wrong_mix_is_told_with_the_nearest() -> None:
    with pytest.raises(UserError, match=r"Q4_K_X is no mix that llama\.cpp writes; did you mean Q4_K"):
        sparse_build(load_model("smollm2-135m").shape, "x", "Q4_K_X").__enter__()


def test_an_unknown_architecture_is_told() -> None:
    shape = msgspec.structs.replace(load_model("smollm2-135m").shape, gguf_architecture="mamba")
    with pytest.raises(UserError, match="the architecture 'mamba'"):
        sparse_build(shape, "x", "Q4_0").__enter__()


def test_without_the_engine_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mixes, "find_spec", lambda _name: None)
    with pytest.raises(UserError, match=r"pip install 'edgeprof\[gguf\]'"):
        sparse_build(load_model("smollm2-135m").shape, "x", "Q4_0").__enter__()
