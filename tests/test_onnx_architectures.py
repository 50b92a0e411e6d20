"""Every architecture that the direct writer knows, beside llama.cpp: all at once, in parts, and step by step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from profiler.agreement import closeness, logits_child
from profiler.agreement.check import LARGEST_DIFFERENCE, check
from profiler.agreement.closeness import Logits
from profiler.agreement.weights import compare
from profiler.builds.model_file import BadModelFile
from profiler.builds.onnx_direct.architectures import ARCHITECTURES
from profiler.builds.onnx_direct.data_file import NAME
from profiler.builds.onnx_direct.write import EXACT_GRAPH, GRAPH, write
from profiler.builds.onnx_folder import read_folder
from profiler.engines import ort, ort_genai
from tests import tiny_decoders as tiny
from tests.test_onnx_direct import engine

IDS = [int(n) for n in np.random.default_rng(3).integers(0, tiny.VOCABULARY, 64)]
FIRST, SECOND = 9, 40
"""Tokens of a first prompt that lies within the window, and of the part after it, which is longer than one."""

WITH_GELU = 5e-3
"""llama.cpp takes GELU from a table of float16; three layers then differ by a thousandth or two."""

NEAR_NATS = 5e-3
"""Each engine rounds activations to int8 in its own way, to about a thousandth of a nat at most."""

HALF = tiny.HIDDEN // tiny.HEADS // 2
LLAMA3 = np.linspace(1, 8, HALF, dtype=np.float32)
ONE_BY_ONE = {"attn_v": "Q6_K", "attn_k": "Q4_1", "ffn_up": "Q5_0"}
"""Types at which neither queries, keys and values nor gate and up can be one matrix."""

FORMS: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("llama", {}),
    "llama, factors, untied": ("llama", {"extra": {"rope_freqs.weight": LLAMA3}, "tied": False}),
    "llama, linear": ("llama", {"metadata": {"rope.scaling.type": "linear", "rope.scaling.factor": 4.0}}),
    "qwen2": ("qwen2", {}),
    "qwen2, one by one, untied": ("qwen2", {"kinds": ONE_BY_ONE, "tied": False}),
    "qwen2, a bias less": ("qwen2", {"kind": "Q4_1", "without": "blk.1.attn_k.bias"}),
    "qwen3": ("qwen3", {}),
    "qwen3, one by one, untied": ("qwen3", {"kinds": ONE_BY_ONE, "tied": False}),
    "qwen3, minima": ("qwen3", {"kind": "Q4_K"}),
    "gemma3": ("gemma3", {}),
    "gemma3, scaled, a base for windows, a cap": (
        "gemma3",
        {
            "kinds": ONE_BY_ONE,
            "metadata": {
                "rope.scaling.type": "linear",
                "rope.scaling.factor": 8.0,
                "rope.freq_base_swa": 5000.0,
                "final_logit_softcapping": 2.0,
            },
        },
    ),
    "gemma3, untied": ("gemma3", {"kind": "Q4_K", "tied": False}),
    "phi3": ("phi3", {}),
    "phi3, untied": ("phi3", {"kind": "Q4_K", "tied": False, "metadata": {"rope.scaling.type": "longrope"}}),
    "phi3, no short factors": ("phi3", {"without": "rope_factors_short.weight"}),
}


class Built:
    """One form in a file, in the ONNX folder of it, and what llama.cpp says to it in float32."""

    def __init__(self, folder: Path, arch: str, **asked: Any) -> None:
        self.arch, self.source, self.folder = arch, folder / "tiny.gguf", folder / "tiny-onnx"
        self.weights = tiny.write_tiny(self.source, arch, **asked)
        self.folder.mkdir()
        write(self.source, self.folder, lambda _what, _done, _total: None)

    def reference(self) -> Logits:
        plain = self.source.with_name("f32.gguf")
        logits_child.dequantize({"path": str(self.source), "output": str(plain), "threads": 1})
        return self.llama(plain, {"kv": "f32", "flash": "off"})

    def llama(self, path: Path, settings: dict[str, str]) -> Logits:
        order = {"path": str(path), "ids": IDS, "threads": 1, "settings": settings, "one_by_one": False}
        return logits_child.llama(order)

    def at_once(self, graph: str) -> Logits:
        return logits_child.ort({"path": str(self.folder), "graph": graph, "ids": IDS, "threads": 1})

    def in_steps(self) -> tuple[list[int], Logits]:
        """Positions and their logits: after a prompt, after a second one behind it, and after each single token."""
        loaded, found = engine(self.folder, ort, "0"), {}
        for start, end in ((0, FIRST), (FIRST, SECOND)):
            loaded.prefill(IDS[start:end])
            found[end - 1] = loaded.logits().copy()
        for position in range(SECOND, len(IDS)):
            loaded.feed(IDS[position])
            found[position] = loaded.logits().copy()
        return list(found), np.stack(list(found.values()))


@pytest.fixture(scope="module", params=FORMS)
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Built:
    arch, asked = FORMS[request.param]
    return Built(tmp_path_factory.mktemp("form"), arch, **asked)


def test_every_architecture_has_its_forms() -> None:
    assert {arch for arch, _ in FORMS.values()} == set(ARCHITECTURES)


def test_logits_are_llama_cpp_s_at_once_and_in_steps(built: Built) -> None:
    reference = built.reference()
    largest = WITH_GELU if ARCHITECTURES[built.arch].gelu else LARGEST_DIFFERENCE
    assert reference.std() > 0.3
    assert np.abs(built.at_once(EXACT_GRAPH) - reference).max() < largest
    positions, steps = built.in_steps()
    assert np.abs(steps - reference[positions]).max() < largest


def test_every_weight_is_read_back(built: Built) -> None:
    found = compare(built.source, built.folder)
    assert (found.unequal, found.compared > 0.99 * built.weights) == (0, True)


def test_as_served_it_is_near_llama_cpp_as_it_is_run(built: Built) -> None:
    reference = built.llama(built.source, {})
    near = closeness.compare(built.at_once(GRAPH), reference, IDS).summary()
    assert near.kl < NEAR_NATS


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_both_engines_give_the_same_tokens(tmp_path: Path, arch: str) -> None:
    folder, outputs = Built(tmp_path, arch).folder, []
    for module in (ort, ort_genai):
        loaded = engine(folder, module)
        loaded.prefill(IDS[:SECOND])
        outputs.append([loaded.next_token() for _ in range(16)])
        loaded.close()
    assert outputs[0] == outputs[1]


def test_the_check_of_a_build_finds_nothing_to_say(tmp_path: Path) -> None:
    built = Built(tmp_path, "gemma3")
    assert check(built.source, built.folder, 1, lambda _what: None, 128).failures == []


@pytest.mark.parametrize("missing", ["rope_factors_short.weight", "rope_factors_long.weight"])
def test_a_model_with_factors_has_its_original_context(tmp_path: Path, missing: str) -> None:
    folder = Built(tmp_path, "phi3", without=missing).folder
    assert read_folder(folder).context_length == tiny.ORIGINAL_CONTEXT


def refusal(tmp_path: Path, arch: str, **asked: Any) -> str:
    with pytest.raises(BadModelFile) as raised:
        Built(tmp_path, arch, **asked)
    assert not (tmp_path / "tiny-onnx" / NAME).exists() or not (tmp_path / "tiny-onnx" / NAME).stat().st_size
    return str(raised.value)


@pytest.mark.parametrize(
    ("arch", "metadata", "said"),
    [
        ("qwen3", {"rope.scaling.type": "yarn"}, "has a scaled rope (rope.scaling.type yarn), which"),
        ("qwen2", {"attention.sliding_window": 8}, "has a sliding window, which"),
        ("gemma3", {"attention.key_length_swa": 64}, "has other heads in the layers with a window, which"),
        ("qwen3", {"rope.dimension_count": 64}, "has a rope over a part of each head (rope.dimension_count), "),
        ("llama", {"rope.scaling.factor": 0.0}, "llama.rope.scaling.factor must be a number above 0; "),
        ("gemma3", {"final_logit_softcapping": -1.0}, "gemma3.final_logit_softcapping must be a number above 0; "),
    ],
)  # fmt: skip
def test_what_the_graph_does_not_have_is_refused(
    tmp_path: Path, arch: str, metadata: dict[str, Any], said: str
) -> None:
    assert refusal(tmp_path, arch, metadata=metadata).startswith(f"tiny.gguf: {said}")


@pytest.mark.parametrize("factor", [0.0, -1.0, float("nan"), float("inf")])
def test_factors_that_no_position_can_be_divided_by_are_refused(tmp_path: Path, factor: float) -> None:
    factors = np.full(HALF, factor, np.float32)
    assert refusal(tmp_path, "llama", extra={"rope_freqs.weight": factors}) == (
        "tiny.gguf: tensor rope_freqs.weight must hold numbers above 0; convert the model again."
    )


def test_more_positions_than_any_model_has_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiny, "CONTEXT", 4_000_000_000)
    assert refusal(tmp_path, "qwen3") == (
        "tiny.gguf: its context has 4,000,000,000 positions; the direct writer writes up to 4,194,304; "
        "use --via genai."
    )
