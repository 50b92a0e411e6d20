"""A llama of two layers in any quantization, its logits by plain NumPy, and what llama.cpp and ONNX must agree on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

Wide = npt.NDArray[np.float64]

LAYERS, HIDDEN, HEADS, KV_HEADS, HEAD, FEED_FORWARD, VOCABULARY, CONTEXT = 2, 256, 4, 2, 64, 512, 320, 128
ROPE_BASE, EPSILON = 10000.0, 1e-5
SCALE_FIELDS = {"Q4_K": (0, 2), "Q5_K": (0, 2), "Q6_K": (208,)}
"""Where the blocks that gguf cannot encode have their float16 scales."""


def _shapes(feed_forward: int) -> dict[str, tuple[int, int]]:
    """Rows and columns of the matrices of a layer."""
    return {
        "attn_q": (HEADS * HEAD, HIDDEN),
        "attn_k": (KV_HEADS * HEAD, HIDDEN),
        "attn_v": (KV_HEADS * HEAD, HIDDEN),
        "attn_output": (HIDDEN, HEADS * HEAD),
        "ffn_gate": (feed_forward, HIDDEN),
        "ffn_up": (feed_forward, HIDDEN),
        "ffn_down": (HIDDEN, feed_forward),
    }


def _bytes_alphabet() -> list[str]:
    """GPT-2's printable stand-ins for the 256 bytes."""
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [n for n in range(256) if n not in kept]
    return [chr(n) for n in kept] + [chr(256 + n) for n in range(len(rest))]


def _raw(draw: np.random.Generator, shape: tuple[int, int], kind: str) -> npt.NDArray[Any]:
    wanted = GGMLQuantizationType[kind]
    if kind not in SCALE_FIELDS:
        values = (draw.standard_normal(shape) / np.sqrt(shape[1])).astype(np.float32)
        return gguf.quants.quantize(values, wanted)
    block, size = GGML_QUANT_SIZES[wanted]
    blocks = draw.integers(0, 256, (shape[0], shape[1] // block, size), dtype=np.uint8)
    for place in SCALE_FIELDS[kind]:
        scales = np.full((*blocks.shape[:2], 1), 2e-4 if kind != "Q6_K" else 5e-5, np.float16)
        blocks[..., place : place + 2] = scales.view(np.uint8)
    return blocks.reshape(shape[0], -1)


def write_tiny_llama(
    path: Path,
    kind: str = "Q8_0",
    *,
    kinds: dict[str, str] | None = None,
    tied: bool = True,
    rope_factors: bool = False,
    arch: str = "llama",
    feed_forward: int = FEED_FORWARD,
    extra: dict[str, npt.NDArray[np.float32]] | None = None,
    without: str | None = None,
    merges: Sequence[str] = (),
    file_type: bool = False,
) -> dict[str, npt.NDArray[np.float32]]:
    """Write the model and return its weights, dequantized. `kinds` gives single matrices another type.

    llama.cpp loads it only with `merges`, one at least.
    """
    draw, found = np.random.default_rng(7), {}
    writer = gguf.GGUFWriter(path, arch)
    _metadata(writer, feed_forward, merges)
    if file_type:
        writer.add_file_type(gguf.LlamaFileType[f"MOSTLY_{kind}"])
    tables = {"token_embd.weight": (VOCABULARY, HIDDEN)} | (
        {} if tied else {"output.weight": (VOCABULARY, HIDDEN)}
    )
    shapes = _shapes(feed_forward)
    matrices = {f"blk.{n}.{name}.weight": shape for n in range(LAYERS) for name, shape in shapes.items()}
    for name, shape in (tables | matrices).items():
        chosen = next((other for part, other in (kinds or {}).items() if part in name), kind)
        raw = _raw(draw, shape, chosen)
        found[name] = gguf.quants.dequantize(raw, GGMLQuantizationType[chosen])
        if name != without:
            writer.add_tensor(name, raw, raw_dtype=GGMLQuantizationType[chosen])
    norms = [f"blk.{n}.{name}.weight" for n in range(LAYERS) for name in ("attn_norm", "ffn_norm")]
    vectors = {name: 1 + 0.1 * draw.standard_normal(HIDDEN) for name in [*norms, "output_norm.weight"]}
    if rope_factors:
        vectors["rope_freqs.weight"] = 1 + np.arange(HEAD // 2) / 8
    for name, vector in (vectors | (extra or {})).items():
        found[name] = vector.astype(np.float32)
        writer.add_tensor(name, found[name])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return found


def _metadata(writer: gguf.GGUFWriter, feed_forward: int, merges: Sequence[str]) -> None:
    writer.add_block_count(LAYERS)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(feed_forward)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(EPSILON)
    writer.add_rope_freq_base(ROPE_BASE)
    writer.add_rope_dimension_count(HEAD)
    writer.add_vocab_size(VOCABULARY)
    letters, merged = _bytes_alphabet(), ["".join(pair.split()) for pair in merges]
    fillers = [f"<{n}>" for n in range(VOCABULARY - len(letters) - len(merged))]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list([*letters, *fillers, *merged])
    writer.add_token_types([1] * len(letters) + [3] * len(fillers) + [1] * len(merged))
    writer.add_token_merges(list(merges))
    writer.add_bos_token_id(256)
    writer.add_eos_token_id(257)
    writer.add_add_bos_token(False)


def logits(weights: dict[str, npt.NDArray[np.float32]], ids: list[int]) -> Wide:
    """Logits of the last position in float64: the formulas of llama, nothing shared with what is tested."""
    tables = {name: found.astype(np.float64) for name, found in weights.items()}
    x = tables["token_embd.weight"][ids]
    for layer in range(LAYERS):
        part = {
            name.split(".")[2]: found for name, found in tables.items() if name.startswith(f"blk.{layer}.")
        }
        x = x + _attention(_norm(x, part["attn_norm"]), part, tables.get("rope_freqs.weight"))
        normed = _norm(x, part["ffn_norm"])
        gate = normed @ part["ffn_gate"].T
        x = x + (gate / (1 + np.exp(-gate)) * (normed @ part["ffn_up"].T)) @ part["ffn_down"].T
    head = tables.get("output.weight", tables["token_embd.weight"])
    return np.asarray(_norm(x, tables["output_norm.weight"])[-1] @ head.T)


def _norm(x: Wide, weight: Wide) -> Wide:
    return np.asarray(x / np.sqrt((x**2).mean(-1, keepdims=True) + EPSILON) * weight)


def _attention(x: Wide, part: dict[str, Wide], factors: Wide | None) -> Wide:
    count = len(x)
    q, k = (_rotated((x @ part[name].T).reshape(count, -1, HEAD), factors) for name in ("attn_q", "attn_k"))
    v = (x @ part["attn_v"].T).reshape(count, -1, HEAD)
    k, v = (np.repeat(item, HEADS // KV_HEADS, axis=1) for item in (k, v))
    scores = np.einsum("qhd,khd->hqk", q, k) / np.sqrt(HEAD) + np.triu(np.full((count, count), -np.inf), 1)
    shares = np.exp(scores - scores.max(-1, keepdims=True))
    shares /= shares.sum(-1, keepdims=True)
    return np.asarray(np.einsum("hqk,khd->qhd", shares, v).reshape(count, -1) @ part["attn_output"].T)


def _rotated(x: Wide, factors: Wide | None) -> Wide:
    """The pairs (0, 1), (2, 3), ... of each head turned by the angle of their position."""
    steps = ROPE_BASE ** (-np.arange(0, HEAD, 2) / HEAD) / (1 if factors is None else factors)
    angles = np.outer(np.arange(len(x)), steps)[:, None, :]
    even, odd = x[..., 0::2], x[..., 1::2]
    turned = (even * np.cos(angles) - odd * np.sin(angles), even * np.sin(angles) + odd * np.cos(angles))
    return np.stack(turned, axis=-1).reshape(x.shape)
