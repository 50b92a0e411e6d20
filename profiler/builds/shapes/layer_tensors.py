"""The tensors of one layer, by architecture.

Source: `load_arch_tensors` in llama.cpp's src/models/*.cpp. Shapes are in ggml order: row length first.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from profiler.catalogue.models import Experts, Latent, Shape


class Spec(msgspec.Struct, frozen=True):
    """A tensor of a model before it has a storage type. `plain` ones are F32 in every file."""

    name: str
    shape: tuple[int, ...]
    plain: bool = False


def head_length(shape: Shape) -> int:
    """Weights of one head of queries and keys."""
    return shape.head_length or shape.embedding // shape.heads


def layer_specs(shape: Shape, layer: int) -> Iterator[Spec]:
    """The tensors of layer `layer`, counted from 0."""
    for part in (_norms(shape), _attention(shape), _feed_forward(shape, layer)):
        for spec in part:
            yield msgspec.structs.replace(spec, name=f"blk.{layer}.{spec.name}")


def _norms(shape: Shape) -> Iterator[Spec]:
    names = {
        "gemma3": ("attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm"),
        "gpt-oss": ("attn_norm", "post_attention_norm"),
    }
    for name in names.get(shape.gguf_architecture, ("attn_norm", "ffn_norm")):
        yield _vector(f"{name}.weight", shape.embedding)
    if shape.qk_norm == "rms":
        for name in ("attn_q_norm", "attn_k_norm"):
            yield _vector(f"{name}.weight", head_length(shape))


def _attention(shape: Shape) -> Iterator[Spec]:
    if shape.latent is not None:
        return _latent_attention(shape, shape.latent)
    if shape.gguf_architecture == "phi3":
        return _fused_attention(shape)
    return _split_attention(shape)


def _split_attention(shape: Shape) -> Iterator[Spec]:
    head, wide = head_length(shape), shape.embedding
    for name, heads in (("attn_q", shape.heads), ("attn_k", shape.kv_heads), ("attn_v", shape.kv_heads)):
        yield Spec(f"{name}.weight", (wide, heads * head))
        if shape.qkv_bias:
            yield _vector(f"{name}.bias", heads * head)
    yield Spec("attn_output.weight", (shape.heads * head, wide))
    if shape.gguf_architecture == "gpt-oss":
        yield _vector("attn_output.bias", wide)
        yield _vector("attn_sinks.weight", shape.heads)


def _fused_attention(shape: Shape) -> Iterator[Spec]:
    head, wide = head_length(shape), shape.embedding
    yield Spec("attn_qkv.weight", (wide, (shape.heads + 2 * shape.kv_heads) * head))
    yield Spec("attn_output.weight", (shape.heads * head, wide))


def _latent_attention(shape: Shape, latent: Latent) -> Iterator[Spec]:
    wide, heads, rotated = shape.embedding, shape.heads, shape.rope_dimensions or 0
    rank = latent.key_value_rank
    yield Spec("attn_q_a.weight", (wide, latent.query_rank))
    yield _vector("attn_q_a_norm.weight", latent.query_rank)
    yield Spec("attn_q_b.weight", (latent.query_rank, heads * latent.key_length))
    yield Spec("attn_kv_a_mqa.weight", (wide, rank + rotated))
    yield _vector("attn_kv_a_norm.weight", rank)
    yield Spec("attn_k_b.weight", (latent.key_length - rotated, rank, heads))
    yield Spec("attn_v_b.weight", (rank, latent.value_length, heads))
    yield Spec("attn_output.weight", (heads * latent.value_length, wide))


def _feed_forward(shape: Shape, layer: int) -> Iterator[Spec]:
    experts = shape.experts
    if experts is not None and has_experts(experts, layer):
        return _mixture(shape, experts)
    return _dense(shape)


def has_experts(experts: Experts, layer: int) -> bool:
    """Whether layer `layer` is a mixture of experts."""
    return layer >= experts.leading_dense_layers and (layer + 1) % experts.every == 0


def _dense(shape: Shape) -> Iterator[Spec]:
    wide, inner = shape.embedding, shape.feed_forward
    if shape.gguf_architecture == "phi3":
        yield Spec("ffn_up.weight", (wide, 2 * inner))
    else:
        yield from (Spec(f"{name}.weight", (wide, inner)) for name in ("ffn_gate", "ffn_up"))
    yield Spec("ffn_down.weight", (inner, wide))


def _mixture(shape: Shape, experts: Experts) -> Iterator[Spec]:
    wide, inner, count = shape.embedding, experts.feed_forward, experts.count
    yield Spec("ffn_gate_inp.weight", (wide, count), plain=True)
    for name, rows in (("ffn_gate", inner), ("ffn_up", inner), ("ffn_down", wide)):
        columns = inner if name == "ffn_down" else wide
        yield Spec(f"{name}_exps.weight", (columns, rows, count))
        if shape.gguf_architecture == "gpt-oss":
            yield Spec(f"{name}_exps.bias", (rows, count), plain=True)
    if shape.gguf_architecture == "gpt-oss":
        yield _vector("ffn_gate_inp.bias", count)
    if shape.gguf_architecture == "deepseek2":
        yield _vector("exp_probs_b.bias", count)
    if experts.shared:
        shared = inner * experts.shared
        yield from (Spec(f"{name}_shexp.weight", (wide, shared)) for name in ("ffn_gate", "ffn_up"))
        yield Spec("ffn_down_shexp.weight", (shared, wide))


def _vector(name: str, length: int) -> Spec:
    return Spec(name, (length,), plain=True)
