"""Tiny random models of every architecture that the direct writer knows, as llama.cpp reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

from tests.tiny_llama import _bytes_alphabet, _raw

LAYERS, HIDDEN, HEADS, KV_HEADS, FEED_FORWARD, VOCABULARY, CONTEXT = 3, 256, 4, 2, 512, 320, 512
WIDE, WINDOW, PERIOD = 128, 12, 3
"""Heads longer than HIDDEN / HEADS, and a window in all but every third layer."""

ORIGINAL_CONTEXT, ROTATED = 256, 48
EPSILON = 1e-6
MERGED = "th"
"""The token of two letters: llama.cpp wants one merge."""

HEAD = {"qwen3": WIDE, "gemma3": WIDE}
NORMS = {
    "qwen3": ("attn_q_norm", "attn_k_norm"),
    "gemma3": ("attn_q_norm", "attn_k_norm", "post_attention_norm", "post_ffw_norm"),
}

MIDDLE_CODE = {"Q4_K": 7.5, "Q5_K": 15.5}

Floats = npt.NDArray[np.float32]


def head(arch: str) -> int:
    """The length of a key."""
    return HEAD.get(arch, HIDDEN // HEADS)


def _matrices(arch: str) -> dict[str, tuple[int, int]]:
    """Rows and columns of the matrices of a layer."""
    queries, keys = HEADS * head(arch), KV_HEADS * head(arch)
    if arch == "phi3":
        first = {"attn_qkv": (queries + 2 * keys, HIDDEN), "ffn_up": (2 * FEED_FORWARD, HIDDEN)}
    else:
        first = {"attn_q": (queries, HIDDEN), "attn_k": (keys, HIDDEN), "attn_v": (keys, HIDDEN)}
        first |= {"ffn_gate": (FEED_FORWARD, HIDDEN), "ffn_up": (FEED_FORWARD, HIDDEN)}
    return first | {"attn_output": (HIDDEN, queries), "ffn_down": (HIDDEN, FEED_FORWARD)}


def _vectors(arch: str, draw: np.random.Generator, factors: bool, layers: int) -> dict[str, Floats]:
    """Norms near 1, as GGUF files have them, biases, and tables of factors."""
    found = {"output_norm.weight": HIDDEN}
    for layer in range(layers):
        for name in ("attn_norm", "ffn_norm", *NORMS.get(arch, ())):
            length = head(arch) if name in ("attn_q_norm", "attn_k_norm") else HIDDEN
            found[f"blk.{layer}.{name}.weight"] = length
    vectors = {name: 1 + 0.1 * draw.standard_normal(length) for name, length in found.items()}
    if arch == "qwen2":
        for layer in range(layers):
            for name, heads in (("q", HEADS), ("k", KV_HEADS), ("v", KV_HEADS)):
                vectors[f"blk.{layer}.attn_{name}.bias"] = draw.standard_normal(heads * head(arch))
    if factors:
        vectors["rope_factors_short.weight"] = 1 + np.arange(ROTATED // 2) / 16
        vectors["rope_factors_long.weight"] = 1 + np.arange(ROTATED // 2) / 2
    return {name: vector.astype(np.float32) for name, vector in vectors.items()}


def _centred(raw: npt.NDArray[Any], kind: str) -> npt.NDArray[Any]:
    """Blocks with a minimum get scales at which their weights are as often below 0 as above."""
    if kind not in MIDDLE_CODE:
        return raw
    blocks = raw.reshape(raw.shape[0], -1, GGML_QUANT_SIZES[GGMLQuantizationType[kind]][1])
    step = 0.0028 / MIDDLE_CODE[kind]
    blocks[..., :4] = np.array([step, step * MIDDLE_CODE[kind]], np.float16).view(np.uint8)
    return raw


def write_tiny(
    path: Path,
    arch: str,
    kind: str = "Q8_0",
    *,
    kinds: dict[str, str] | None = None,
    tied: bool = True,
    tokenizer: str = "gpt2",
    metadata: dict[str, Any] | None = None,
    extra: dict[str, Floats] | None = None,
    without: str | None = None,
    layers: int = LAYERS,
) -> int:
    """Write a model and return how many weights it has. `metadata` adds keys, each after the architecture's name;
    `kinds` gives single matrices another type."""
    draw, count = np.random.default_rng(11), 0
    writer = gguf.GGUFWriter(path, arch)
    _metadata(writer, arch, layers, metadata or {})
    _tokenizer(writer, tokenizer)
    tables = ("token_embd.weight",) if tied else ("token_embd.weight", "output.weight")
    shapes = dict.fromkeys(tables, (VOCABULARY, HIDDEN))
    shapes |= {
        f"blk.{n}.{name}.weight": shape for n in range(layers) for name, shape in _matrices(arch).items()
    }
    for name, shape in shapes.items():
        chosen = next((other for part, other in (kinds or {}).items() if part in name), kind)
        raw = _centred(_raw(draw, shape, chosen), chosen)
        if name != without:
            writer.add_tensor(name, raw, raw_dtype=GGMLQuantizationType[chosen])
        count += shape[0] * shape[1]
    for name, vector in (_vectors(arch, draw, arch == "phi3", layers) | (extra or {})).items():
        if name != without:
            writer.add_tensor(name, vector)
        count += 0 if name.startswith("rope_factors") else vector.size
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return count


def _metadata(writer: gguf.GGUFWriter, arch: str, layers: int, more: dict[str, Any]) -> None:
    writer.add_block_count(layers)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(EPSILON)
    writer.add_vocab_size(VOCABULARY)
    writer.add_rope_freq_base(1e6)
    if arch in HEAD:
        writer.add_key_length(WIDE)
        writer.add_value_length(WIDE)
    if arch == "gemma3":
        writer.add_sliding_window(WINDOW)
        writer.add_sliding_window_pattern(PERIOD)
    if arch == "phi3":
        writer.add_rope_dimension_count(ROTATED)
        writer.add_sliding_window(WINDOW)
        writer.add_rope_scaling_orig_ctx_len(ORIGINAL_CONTEXT)
        writer.add_rope_scaling_attn_factors(1.19)
    for key, value in more.items():
        add: dict[type, Any] = {int: writer.add_uint32, float: writer.add_float32, str: writer.add_string}
        add[type(value)](f"{arch}.{key}", value)


def _tokenizer(writer: gguf.GGUFWriter, kind: str) -> None:
    """Bytes for "gpt2"; for "test" and "none" what those kinds of llama.cpp's need."""
    letters = [*_bytes_alphabet(), MERGED]
    writer.add_tokenizer_model(kind)
    if kind == "none":
        return
    writer.add_token_list([*letters, *(f"<{n}>" for n in range(VOCABULARY - len(letters)))])
    if kind == "test":
        return
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_types([1] * len(letters) + [3] * (VOCABULARY - len(letters)))
    writer.add_token_merges([" ".join(MERGED)])
    writer.add_bos_token_id(257)
    writer.add_eos_token_id(258)
    writer.add_add_bos_token(False)
