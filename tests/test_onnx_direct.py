"""The direct writer: equal weights, the same model, and one sentence for what it cannot carry over."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest

from profiler.agreement.weights import compare
from profiler.builds.model_file import BadModelFile
from profiler.builds.onnx_direct.blocks import CARRIED, packed, unpacked, weights
from profiler.builds.onnx_direct.write import write
from profiler.builds.onnx_folder import read_folder
from profiler.engines import ort, ort_genai
from profiler.engines.table import ORT
from tests.tiny_llama import HIDDEN, LAYERS, VOCABULARY, logits, write_tiny_llama

KINDS = [*CARRIED, "F16", "F32", "BF16"]
IDS = [int(n) for n in np.random.default_rng(3).integers(0, VOCABULARY, 24)]


def built(tmp_path: Path, kind: str = "Q8_0", **asked: Any) -> tuple[Path, dict[str, Any]]:
    """The folder of a tiny model, and its weights."""
    source, folder = tmp_path / "tiny.gguf", tmp_path / "tiny-onnx"
    found = write_tiny_llama(source, kind, **asked)
    folder.mkdir()
    write(source, folder, lambda _what, _done, _total: None)
    return folder, found


def engine(folder: Path, module: Any, accuracy: str = "built") -> Any:
    module.import_library()
    settings = {name: setting.default for name, setting in ORT.settings.items()}
    model = read_folder(folder)
    told = {"graph": model.graph, "via": "direct", "kv_type": "f32", "kv_elements_per_token": 512}
    workload = {"prompt_tokens": 64, "output_tokens": 8, "depth": 0}
    settings |= {"threads": 1, "accuracy": accuracy}
    return module.load({"path": str(folder), "settings": settings, "workload": workload, "build": told})


def refusal(tmp_path: Path, **asked: Any) -> str:
    with pytest.raises(BadModelFile) as raised:
        built(tmp_path, **asked)
    return str(raised.value)


@pytest.mark.parametrize("kind", [kind for kind in CARRIED if not kind.endswith("_K")])
def test_codes_scales_zeros_and_offsets_give_the_values_that_gguf_gives(kind: str) -> None:
    wanted = gguf.GGMLQuantizationType[kind]
    values = np.random.default_rng(1).standard_normal((16, 512)).astype(np.float32)
    _, size = gguf.GGML_QUANT_SIZES[wanted]
    carried = CARRIED[kind]
    codes = carried.read(gguf.quants.quantize(values, wanted).reshape(16, -1, size))
    assert np.array_equal(
        weights(codes, carried.bits), gguf.quants.dequantize(gguf.quants.quantize(values, wanted), wanted)
    )
    assert np.array_equal(unpacked(packed(codes.codes, carried.bits), carried.bits), codes.codes)


@pytest.mark.parametrize("kind", ["Q4_1", "Q5_1"])
def test_what_a_zero_leaves_to_the_offset_is_half_a_step_at_most(kind: str) -> None:
    wanted = gguf.GGMLQuantizationType[kind]
    values = np.random.default_rng(1).standard_normal((16, 512)).astype(np.float32)
    _, size = gguf.GGML_QUANT_SIZES[wanted]
    codes = CARRIED[kind].read(gguf.quants.quantize(values, wanted).reshape(16, -1, size))
    assert codes.offsets is not None
    assert np.all(np.abs(codes.offsets) <= 0.5 * codes.scales)


def test_hostile_scales_and_minima_stay_numbers_of_the_right_kind() -> None:
    block = np.zeros((1, 4, 20), np.uint8)
    block[0, :, :4] = np.array([[0, 0, 0, 60], [0, 124, 0, 60], [0, 126, 0, 252], [0, 60, 0, 126]], np.uint8)
    codes = CARRIED["Q4_1"].read(block)
    assert codes.zeros is not None
    assert codes.zeros.max() <= 15


@pytest.mark.parametrize("kind", KINDS)
def test_every_weight_of_every_type_is_read_back_as_it_was(tmp_path: Path, kind: str) -> None:
    folder, found = built(tmp_path, kind)
    compared = compare(tmp_path / "tiny.gguf", folder)
    assert (compared.compared, compared.unequal) == (sum(item.size for item in found.values()), 0)


@pytest.mark.parametrize("kind", KINDS)
def test_with_float32_activations_the_logits_are_those_of_the_formulas(tmp_path: Path, kind: str) -> None:
    folder, found = built(tmp_path, kind)
    loaded = engine(folder, ort, "0")
    loaded.prefill(IDS)
    assert np.abs(loaded.logits() - logits(found, IDS)).max() < 1e-3


@pytest.mark.parametrize(
    "asked",
    [
        {"tied": False},
        {"rope_factors": True},
        {"kinds": {"attn_v": "Q6_K", "ffn_up": "Q4_1"}},
        {"kinds": {"attn_k": "Q5_0"}},
        {"kind": "Q4_1", "tied": False, "kinds": {"token_embd": "Q5_1"}},
        {"kind": "Q4_1", "feed_forward": 544},
    ],
    ids=[
        "untied",
        "rope factors",
        "unlike matrices",
        "alike kinds fused",
        "offsets in the table",
        "an odd number of blocks",
    ],
)
def test_forms_of_the_model(tmp_path: Path, asked: dict[str, Any]) -> None:
    folder, found = built(tmp_path, **asked)
    assert compare(tmp_path / "tiny.gguf", folder).unequal == 0
    loaded = engine(folder, ort, "0")
    loaded.prefill(IDS)
    assert np.abs(loaded.logits() - logits(found, IDS)).max() < 1e-3


def test_step_by_step_is_the_whole_prompt_at_once(tmp_path: Path) -> None:
    folder, _ = built(tmp_path, "Q4_1")
    loaded = engine(folder, ort, "0")
    loaded.prefill(IDS)
    whole = loaded.logits().copy()
    loaded.reset()
    for token in IDS:
        loaded.feed(token)
    assert np.abs(loaded.logits() - whole).max() < 1e-4


def test_both_engines_give_the_same_tokens(tmp_path: Path) -> None:
    folder, _ = built(tmp_path, "Q4_0")
    outputs = []
    for module in (ort, ort_genai):
        loaded = engine(folder, module)
        loaded.prefill(IDS)
        outputs.append([loaded.next_token() for _ in range(8)])
        loaded.close()
    assert outputs[0] == outputs[1]


def test_description_counts_each_weight_once_and_knows_what_is_read(tmp_path: Path) -> None:
    folder, found = built(tmp_path, "Q4_1", tied=False)
    model = read_folder(folder)
    assert model.parameters == sum(item.size for item in found.values())
    assert (model.format, model.layers, model.vocabulary, model.kv_type) == (
        "onnx-genai",
        LAYERS,
        VOCABULARY,
        "f32",
    )
    assert model.bits_read_per_weight == pytest.approx(6.125, abs=0.06)


def test_tied_table_is_counted_once(tmp_path: Path) -> None:
    folder, found = built(tmp_path, "Q8_0")
    assert read_folder(folder).parameters == sum(item.size for item in found.values())
    assert read_folder(folder).bits_read_per_weight == pytest.approx(9.0, abs=0.06)


class TestRefusals:
    def test_of_an_architecture(self, tmp_path: Path) -> None:
        assert refusal(tmp_path, arch="olmo2") == (
            "tiny.gguf: its architecture is olmo2; the direct writer knows llama, qwen2, qwen3, gemma3, phi3; "
            "use --via genai or --via optimum."
        )

    def test_of_a_type(self, tmp_path: Path) -> None:
        assert refusal(tmp_path, kinds={"blk.1.ffn_up": "TQ2_0"}).startswith(
            "tiny.gguf: tensor blk.1.ffn_up.weight is TQ2_0, which cannot be carried over unchanged; accepted: Q4_0, "
        )

    def test_of_a_tensor_that_is_missing(self, tmp_path: Path) -> None:
        assert refusal(tmp_path, without="blk.1.attn_k.weight") == (
            "tiny.gguf: has no tensor blk.1.attn_k.weight; fetch or convert the model again."
        )

    def test_of_a_tensor_that_would_be_left_out(self, tmp_path: Path) -> None:
        bias = {"blk.0.attn_q.bias": np.zeros(HIDDEN, np.float32)}
        assert refusal(tmp_path, extra=bias) == (
            "tiny.gguf: has the tensor blk.0.attn_q.bias, which no graph of this architecture has; "
            "use --via genai."
        )

    def test_comes_before_anything_large_is_written(self, tmp_path: Path) -> None:
        refusal(tmp_path, kinds={"blk.1.ffn_up": "TQ2_0"})
        assert not (tmp_path / "tiny-onnx" / "model.onnx.data").exists()


def test_writing_smollm2_stays_below_its_memory_bound(smollm2: Path, tmp_path: Path) -> None:
    """Twice the largest tensor and 500 MB, by the kernel's account of the whole process."""
    code = (
        "import sys; from pathlib import Path; from profiler.builds.onnx_direct.write import write\n"
        "write(Path(sys.argv[1]), Path(sys.argv[2]), lambda *_: None)\n"
        "from profiler.measure.worker_memory import memory; print(memory()['peak_rss_bytes'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(smollm2), str(tmp_path)], check=True, capture_output=True, text=True
    )
    largest = 49152 * 576 * 34 // 32
    assert int(done.stdout) < 2 * largest + 500_000_000
