"""SmolLM2 in every quantization, written directly, agrees with llama.cpp; a build that was changed does not."""

from __future__ import annotations

import ctypes
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from profiler.agreement.check import LARGEST_DIFFERENCE, check
from profiler.builds.gguf_types import FILE_TYPES
from profiler.builds.onnx_direct.write import write
from profiler.errors import UserError

TOKENS = 96
KINDS = ("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q4_K_M", "Q5_K_M", "Q6_K", "F16", "F32")


def quantized(source: Path, kind: str, folder: Path) -> Path:
    """The model in this quantization, by llama.cpp's own quantizer."""
    from llama_cpp import llama_cpp as bindings

    target = folder / f"{kind}.gguf"
    number = next(number for number, name in FILE_TYPES.items() if name == kind)
    params = bindings.llama_model_quantize_default_params()
    params.ftype, params.allow_requantize = number, True
    words = (os.fsencode(source), os.fsencode(target), ctypes.byref(params))
    assert bindings.llama_model_quantize(*words) == 0
    return target


def built(source: Path, folder: Path) -> Path:
    folder.mkdir()
    write(source, folder, lambda _what, _done, _total: None)
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_smollm2_agrees_with_llama_cpp(smollm2: Path, tmp_path: Path, kind: str) -> None:
    source = smollm2 if kind == "Q4_1" else quantized(smollm2, kind, tmp_path)
    found = check(source, built(source, tmp_path / "onnx"), 2, lambda _what: None, TOKENS)
    assert found.failures == []
    assert (found.weights, found.weights_unequal, found.tokens) == (134_515_008, 0, TOKENS)
    assert found.exact is not None
    assert (found.exact.top1, found.exact.largest < LARGEST_DIFFERENCE) == (1, True)
    assert found.fast is not None
    assert found.fast.top1 > 0.9
    shutil.rmtree(tmp_path)


def test_a_build_whose_weights_were_changed_disagrees(smollm2: Path, tmp_path: Path) -> None:
    """One megabyte of codes turned over: neither the weights nor the logits are those of the file."""
    folder = built(smollm2, tmp_path / "onnx")
    data = np.memmap(folder / "model.onnx.data", np.uint8, "r+")
    data[60_000_000:61_000_000] ^= 255
    data.flush()
    found = check(smollm2, folder, 2, lambda _what: None, 128)
    assert found.weights_unequal > 1_000_000
    assert len(found.failures) >= 3
    assert "weights are not equal" in found.failures[0]


def test_an_engine_that_fails_ends_the_check_in_one_sentence(smollm2: Path, tmp_path: Path) -> None:
    folder = built(smollm2, tmp_path / "onnx")
    (folder / "model.onnx").rename(folder / "kept.onnx")
    (folder / "model.onnx").write_bytes(
        (folder / "kept.onnx").read_bytes().replace(b"QuickGelu", b"QuickGelX")
    )
    with pytest.raises(
        UserError, match=r"^the check could not run ort on SmolLM2-135M-Instruct\.Q4_1\.gguf: "
    ):
        check(smollm2, folder, 2, lambda _what: None, 128)
