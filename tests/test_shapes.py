"""Shapes: every architecture and every mix decodes to finite logits, and a file is written whole or not at all."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from gguf.constants import GGMLQuantizationType
from msgspec.structs import replace

from profiler.builds.gguf import read_header
from profiler.builds.gguf_types import TENSOR_TYPES
from profiler.builds.identify import identify
from profiler.builds.shapes import mix_child, mixes, write
from profiler.builds.shapes.blueprint import blueprint
from profiler.builds.shapes.from_file import of_file
from profiler.builds.shapes.mixes import MIXES
from profiler.builds.shapes.planning import of_catalogue
from profiler.builds.shapes.random_blocks import LAYOUTS, SCALES_SPREAD, can_be_random, random_blocks
from profiler.builds.shapes.write import write_random
from profiler.catalogue.models import load_model
from profiler.errors import UserError
from profiler.runfile import RandomWeights
from tests.tiny_shapes import MODELS, VOCABULARY, tiny, write_tiny

CHILD = """
import ctypes, json, sys
import numpy as np
import llama_cpp.llama_cpp as lib
vocabulary, *paths = sys.argv[1:]
log = []
keep = lib.llama_log_callback(lambda _level, text, _data: log.append(text.decode("utf-8", "replace")))
lib.llama_log_set(keep, ctypes.c_void_p(0))
lib.llama_backend_init()

def logits(path):
    params = lib.llama_model_default_params()
    params.check_tensors, params.use_extra_bufts = True, False
    model = lib.llama_model_load_from_file(path.encode(), params)
    if not model:
        return "".join(log)[-300:]
    params = lib.llama_context_default_params()
    params.n_ctx, params.n_threads, params.n_threads_batch = 64, 1, 1
    context = lib.llama_init_from_model(model, params)
    text = b"Good morning"
    ids = (lib.llama_token * 32)()
    count = lib.llama_tokenize(lib.llama_model_get_vocab(model), text, len(text), ids, 32, True, False)
    lib.llama_decode(context, lib.llama_batch_get_one(ids, count))
    found = np.ctypeslib.as_array(lib.llama_get_logits(context), (int(vocabulary),))
    spread = float(found.std()) if np.isfinite(found).all() else "not finite"
    lib.llama_free(context)
    lib.llama_model_free(model)
    return spread

print(json.dumps({path: logits(path) for path in paths}))
"""
EVERY_MIX = """
import json, sys
folder, path, *numbers = sys.argv[1:]
sys.path.insert(0, folder)
from mix_child import planned
print(json.dumps([sorted(set(planned(path, int(n), True)[0].values())) for n in numbers]))
"""
KINDS = {kind.name: kind for kind in TENSOR_TYPES.values() if can_be_random(kind.name)}
ALONE = {"MXFP4", "IQ3_XXS", "IQ2_S", "IQ2_XXS", "IQ3_S", "Q5_1"}
"""Types that not every architecture's mixes have."""

CUT = {"gemma3": 6, "llama4": 4, "gpt-oss": 2, "deepseek2": 5}


def decoded(paths: list[Path]) -> dict[str, Any]:
    """The spread of the logits of each file after a few words, or what is wrong; row data are validated on loading."""
    words = [sys.executable, "-c", CHILD, str(VOCABULARY), *map(str, paths)]
    done = subprocess.run(words, check=True, capture_output=True, timeout=120)
    found: dict[str, Any] = json.loads(done.stdout)
    return {Path(path).stem: value for path, value in found.items()}


def assert_sane(found: Mapping[str, Any]) -> None:
    """Random weights of the right size make logits of size 1."""
    strange = {
        name: value for name, value in found.items() if not isinstance(value, float) or not 0.5 < value < 2
    }
    assert not strange


def test_a_short_shape_of_every_architecture_decodes(tmp_path: Path) -> None:
    paths = [tmp_path / f"{architecture}.gguf" for architecture in MODELS]
    for path in paths:
        write_tiny(path, path.stem, "Q4_K_M", CUT.get(path.stem, 2))
    assert_sane(decoded(paths))


def test_every_storage_type_decodes(tmp_path: Path) -> None:
    plan = of_catalogue(tiny("qwen3moe"), "x", "Q8_0", 1, None)
    paths = [tmp_path / f"{kind}.gguf" for kind in KINDS]
    for path in paths:
        tensors = [replace(t, type_name=path.stem) if t.type_name == "Q8_0" else t for t in plan.tensors]
        write_random(path, plan.metadata, tensors, plan.known, lambda *_: None)
    assert_sane(decoded(paths))


@pytest.mark.parametrize("architecture", ["llama", "gpt-oss", "deepseek2"])
def test_every_mix_is_made_of_types_that_can_be_random(architecture: str, tmp_path: Path) -> None:
    plan = blueprint(tiny(architecture), "x")
    path = tmp_path / "source.gguf"
    mixes.write_sparse(path, plan, [mixes.unmixed(spec) for spec in plan.specs])
    words = [sys.executable, "-c", EVERY_MIX, str(Path(mix_child.__file__).parent), str(path)]
    done = subprocess.run([*words, *map(str, MIXES.values())], check=True, capture_output=True, timeout=120)
    used = json.loads(done.stdout)
    assert len(used) == len(MIXES)
    assert {name for names in used for name in names} - set(KINDS) == set()
    assert set(KINDS) - {name for names in used for name in names} <= ALONE


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_weights_have_the_spread_that_keeps_activations_sane(kind: Any) -> None:
    draw = np.random.default_rng(0)
    blocks = random_blocks(kind, 1024, 4096, draw)
    assert blocks.shape == (4096, kind.block_bytes)
    try:
        wanted = GGMLQuantizationType[kind.name]
        found = gguf.quants.dequantize(blocks.reshape(1, -1) if kind.block == 1 else blocks, wanted)
    except (KeyError, NotImplementedError):
        pytest.skip(f"gguf does not read {kind.name}")
    assert np.isfinite(found).all()
    tolerance = 0.5 if kind.name == "MXFP4" else 0.1
    assert found.std() * 32 == pytest.approx(1, rel=tolerance)
    assert abs(found.mean()) < found.std() / 2


@pytest.mark.parametrize("kind", ["Q4_0", "Q4_1", "Q8_0", "Q4_K", "Q6_K"])
def test_scales_differ_as_those_of_a_model_do(kind: str) -> None:
    """llama.cpp looks them up in a table; equal ones would be found at once, and the shape be faster than its model."""
    blocks = random_blocks(KINDS[kind], 576, 100_000, np.random.default_rng(0))
    place = LAYOUTS[kind].scale
    scales = np.abs(blocks[:, place : place + 2].copy().view("<f2").astype(float).ravel())
    assert np.log2(scales).std() == pytest.approx(SCALES_SPREAD, rel=0.05)
    assert len(np.unique(scales)) > 300


def test_what_a_shape_says_of_itself(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    found = of_catalogue(tiny("qwen3moe"), "Tiny", "q4_k_m", 4, 4)
    write_random(path, found.metadata, found.tensors, found.known, lambda *_: None)
    header = read_header(path)
    assert header.metadata["general.name"] == "Tiny (shape, random weights, 4 of 48 layers, 4 of 16 experts)"
    (build,) = (item.build for item in identify([str(path)]))
    assert build.random_weights == RandomWeights(layers=4, of_layers=48, experts=4, of_experts=16)
    assert build.quantization is not None
    assert build.quantization.startswith("Q4_K_M")


def test_the_types_of_a_mix_are_those_of_a_file_that_llama_cpp_wrote(smollm2: Path) -> None:
    shape = load_model("smollm2-135m").shape
    planned = of_catalogue(shape, "x", "Q4_1", None, None)
    real = read_header(smollm2)
    assert {(t.name, t.shape, t.type_name) for t in planned.tensors} == {
        (t.name, t.shape, t.type_name) for t in real.tensors
    }


def test_a_shape_of_a_file_has_its_header_and_other_weights(tmp_path: Path) -> None:
    source, copy = tmp_path / "source.gguf", tmp_path / "copy.gguf"
    write_tiny(source, "llama", "Q4_K_M", 4)
    found = of_file(source, None, 2)
    write_random(copy, found.metadata, found.tensors, found.known, lambda *_: None)
    before, after = read_header(source), read_header(copy)
    changed = {key for key in before.metadata if before.metadata[key] != after.metadata[key]}
    assert changed == {
        "general.name",
        "llama.block_count",
        "edgeprof.shape.layers",
        "edgeprof.shape.of_layers",
    }
    types = {tensor.name: tensor.type_name for tensor in before.tensors}
    assert [t.type_name for t in after.tensors if "blk" not in t.name] == [
        types[t.name] for t in after.tensors if "blk" not in t.name
    ]
    assert found.random == RandomWeights(layers=2, of_layers=4)
    assert_sane(decoded([copy]))


def test_the_period_of_a_file_is_read_from_its_layers(tmp_path: Path) -> None:
    source = tmp_path / "source.gguf"
    write_tiny(source, "gpt-oss", "Q8_0", 4)
    with pytest.raises(UserError, match=r"--layers 3: accepted are 2, 4 \(whole periods of 2 layers\)"):
        of_file(source, None, 3)


def test_tables_of_positions_are_no_weights(tmp_path: Path) -> None:
    source = tmp_path / "source.gguf"
    written = write_tiny(source, "llama", "Q8_0", 2)
    assert of_file(source, None, None).known == written.known
    factors = np.frombuffer(written.known["rope_freqs.weight"], "<f4")
    assert (factors[0], factors[-1]) == (1, 32)


def test_a_full_disk_is_told_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage._replace(free=1 << 20))
    with pytest.raises(
        UserError, match=r"m\.gguf takes 0\.00 GiB and 0\.00 GiB are free: choose another disk with -o"
    ):
        write_tiny(tmp_path / "m.gguf", "llama", "Q8_0", 2)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_nothing_is_left_of_a_file_that_was_not_finished(
    error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(write, "_tiled", fail)
    with pytest.raises((KeyboardInterrupt, UserError)):
        write_tiny(tmp_path / "m.gguf", "llama", "Q8_0", 2)
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_there_is_kept(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_text("mine")
    with pytest.raises(UserError, match=r"m\.gguf exists: choose another file with -o, or remove it"):
        write_tiny(tmp_path / "m.gguf", "llama", "Q8_0", 2)
    assert (tmp_path / "m.gguf").read_text() == "mine"


@pytest.mark.parametrize(
    ("layers", "experts", "said"),
    [
        (None, 1, r"--experts 1: x has 16 and uses 2 for a token; accepted: 2 to 16"),
        (99, None, r"--layers 99: accepted are 1 to 48; choose one of them"),
    ],
)
def test_what_cannot_be_cut_is_told(layers: int | None, experts: int | None, said: str) -> None:
    with pytest.raises(UserError, match=said):
        of_catalogue(tiny("qwen3moe"), "x", "Q8_0", layers, experts)


def test_experts_of_a_dense_model_are_refused() -> None:
    with pytest.raises(UserError, match=r"--experts 2: x has no experts; leave the option out"):
        of_catalogue(tiny("llama"), "x", "Q8_0", None, 2)


def test_a_small_vocabulary_is_refused() -> None:
    with pytest.raises(UserError, match="has a vocabulary of 100; a shape needs 261 tokens at least"):
        of_catalogue(replace(tiny("llama"), vocabulary=100), "x", "Q8_0", None, None)
