"""Sparse shapes: every model of the catalogue, as the engine counts it, and what is said of a wrong mix."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from profiler.builds.describe import describe
from profiler.builds.gguf import read_header
from profiler.builds.shapes import mix_child, mixes
from profiler.builds.shapes.blueprint import blueprint
from profiler.builds.shapes.sparse import sparse_build
from profiler.catalogue.models import Experts, Window, load_model, load_models
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


def test_every_model_of_the_catalogue_is_what_the_engine_counts(tmp_path: Path) -> None:
    models = load_models()
    paths = {id: tmp_path / f"{id}.gguf" for id in models}
    for id, path in paths.items():
        plan = blueprint(models[id].shape, models[id].name)
        mixes.write_sparse(path, plan, [mixes.unmixed(spec) for spec in plan.specs])
    counted = engine_says(list(paths.values()))
    for id, path in paths.items():
        described = describe(read_header(path))
        assert [described.parameters, described.weights_bytes] == counted[str(path)], id
        assert described.parameters - rope_tables(path) == models[id].shape.parameters, id
        assert described.kv_elements_per_token == models[id].shape.kv_elements_per_token, id
        assert path.stat().st_blocks * 512 < 1 << 20, id


@pytest.mark.parametrize("id", ["llama-3.1-70b", "qwen3-30b-a3b", "gemma-3-1b", "gpt-oss-20b"])
def test_the_reference_mix_takes_the_bytes_that_stand_in_the_catalogue(id: str) -> None:
    shape = load_model(id).shape
    assert shape.reference is not None
    with sparse_build(shape, id, shape.reference.quantization) as path:
        described = describe(read_header(path))
        weights = described.weights_bytes
        assert described.quantization.startswith(shape.reference.quantization)
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
    with pytest.raises(
        UserError, match="no shapes are made of the architecture mamba; accepted: deepseek2, gemma3"
    ):
        sparse_build(shape, "x", "Q4_0").__enter__()


def test_without_the_engine_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mixes, "find_spec", lambda _name: None)
    with pytest.raises(UserError, match=r"pip install 'edgeprof\[gguf\]'"):
        sparse_build(load_model("smollm2-135m").shape, "x", "Q4_0").__enter__()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("raise SystemExit(3)", r"it ended with status 3"),
        ("print('no json')", r"its answer makes no sense"),
        ('print(\'{"error": "ValueError: no"}\')', r"ValueError: no"),
        ("print('{\"types\": {}}')", r"names no known type for token_embd\.weight in Q4_0"),
        ("import time; time.sleep(9)", r"did not say within 1 s"),
    ],
)
def test_a_child_that_fails_is_told_in_a_sentence(
    answer: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = tmp_path / "child.py"
    child.write_text(answer)
    monkeypatch.setattr(mix_child, "__file__", str(child))
    monkeypatch.setattr(mixes, "LIMIT_S", 1.0)
    with pytest.raises(UserError, match=said):
        sparse_build(load_model("smollm2-135m").shape, "x", "Q4_0").__enter__()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"layers": 10**9}, r"shape\.layers is 1e\+09; accepted: up to 512"),
        ({"vocabulary": 10**12}, r"shape\.vocabulary is"),
        ({"context_tokens": 10**12}, r"shape\.context_tokens is"),
        ({"rope_theta": 1e300}, r"shape\.rope_theta is"),
        (
            {"experts": Experts(count=2000, active=1, feed_forward=1)},
            r"shape\.experts\.count is 2000; accepted: up to 1024",
        ),
        (
            {"window": Window(tokens=10**12, full_attention_every=1, full_attention_kv_elements_per_token=1)},
            r"window\.tokens",
        ),
        ({"gguf_architecture": "deepseek2"}, r"shape\.latent is missing"),
    ],
)
def test_an_absurd_shape_is_refused(change: dict[str, Any], said: str) -> None:
    shape = msgspec.structs.replace(load_model("smollm2-135m").shape, **change)
    with pytest.raises(UserError, match=said):
        sparse_build(shape, "x", "Q4_0").__enter__()


def test_words_of_scaling_that_are_not_known_are_no_scaling() -> None:
    shape = load_model("smollm2-135m").shape
    for words in ("yarn x1.2.3 orig 9", "magic", "local theta 1.2.3", "yarn x" + "9" * 400):
        with sparse_build(msgspec.structs.replace(shape, rope_scaling=words), "x", "Q4_0") as path:
            assert path.exists()
