"""Tiny random models that real exporters take: a Hugging Face folder made inside an environment, and a GGUF file."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from profiler.environments.environments import python_of

LAYERS, HIDDEN, FEED_FORWARD, HEADS, KV_HEADS, VOCABULARY = 2, 64, 128, 4, 2, 261
HEAD_DIM = HIDDEN // HEADS
BOS, EOS, PAD = 256, 257, 258
"""Ids after those of the 256 bytes."""

MERGED = ("ab", "cd")
"""The tokens of two letters."""

_MAKE = f"""
import sys, torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
torch.manual_seed(1)
LlamaForCausalLM(LlamaConfig(
    num_hidden_layers={LAYERS}, hidden_size={HIDDEN}, intermediate_size={FEED_FORWARD},
    num_attention_heads={HEADS}, num_key_value_heads={KV_HEADS}, vocab_size={VOCABULARY},
    max_position_embeddings=128, bos_token_id={BOS}, eos_token_id={EOS}, tie_word_embeddings=True,
)).save_pretrained(sys.argv[1])
alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
vocabulary = {{letter: k for k, letter in enumerate([*alphabet, "<bos>", "<eos>", "<pad>"])}}
tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
tokenizer.decoder = decoders.ByteLevel()
PreTrainedTokenizerFast(
    tokenizer_object=tokenizer, bos_token="<bos>", eos_token="<eos>", pad_token="<pad>"
).save_pretrained(sys.argv[1])
"""


def needed(environment: str) -> Path:
    """The interpreter of `environment`; without it the test is skipped with what to type."""
    python = python_of(environment)
    if python is None:
        pytest.skip(f"the environment is not there: edgeprof setup {environment}")
    return python


def hugging_face_folder(python: Path, folder: Path) -> Path:
    """A llama of two layers with a tokenizer of bytes, written by the transformers of `python`."""
    subprocess.run([python, "-I", "-c", _MAKE, folder], check=True, capture_output=True)
    return folder


def gguf_file(path: Path, *, add_bos: bool) -> Path:
    """A llama of two layers in float32, whose tokenizer asks for BOS or refuses it."""
    import gguf
    import numpy

    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("tiny")
    writer.add_block_count(LAYERS)
    writer.add_context_length(128)
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(HEAD_DIM)
    writer.add_vocab_size(VOCABULARY)
    _add_tokenizer(writer, add_bos)
    draw = numpy.random.default_rng(1)
    for name, shape in _tensors().items():
        data = numpy.ones(shape) if len(shape) == 1 else draw.normal(0, 0.1, shape)
        writer.add_tensor(name, data.astype(numpy.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add_tokenizer(writer, add_bos: bool) -> None:  # type: ignore[no-untyped-def]
    alphabet = [chr(k) for k in (*range(33, 127), *range(161, 173), *range(174, 324))]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([*alphabet, "<bos>", "<eos>", "<pad>", *MERGED])
    writer.add_token_types([1] * 256 + [3] * 3 + [1] * len(MERGED))
    writer.add_token_merges([" ".join(token) for token in MERGED])
    writer.add_bos_token_id(BOS)
    writer.add_eos_token_id(EOS)
    writer.add_pad_token_id(PAD)
    writer.add_add_bos_token(add_bos)


def _tensors() -> dict[str, tuple[int, ...]]:
    """Names and shapes, rows first."""
    kv = KV_HEADS * HEAD_DIM
    layer = {
        "attn_norm": (HIDDEN,),
        "attn_q": (HIDDEN, HIDDEN),
        "attn_k": (kv, HIDDEN),
        "attn_v": (kv, HIDDEN),
        "attn_output": (HIDDEN, HIDDEN),
        "ffn_norm": (HIDDEN,),
        "ffn_gate": (FEED_FORWARD, HIDDEN),
        "ffn_up": (FEED_FORWARD, HIDDEN),
        "ffn_down": (HIDDEN, FEED_FORWARD),
    }
    blocks = {f"blk.{k}.{name}.weight": shape for k in range(LAYERS) for name, shape in layer.items()}
    return {
        "token_embd.weight": (VOCABULARY, HIDDEN),
        "output_norm.weight": (HIDDEN,),
        **blocks,
    }
