"""genai_config.json: what ONNX Runtime GenAI wants to know beside the graph."""

from __future__ import annotations

from typing import Any

from profiler.builds import metadata
from profiler.builds.gguf import GgufHeader
from profiler.builds.onnx_direct.shape import Shape

NO_PAD = -1
"""GenAI takes the last position that is not the pad id: no prompt may end in it, so no id is it."""


def genai_config(kind: str, shape: Shape, header: GgufHeader, graph: str) -> dict[str, Any]:
    """The configuration of a graph with shared past and present, for a model of this type in GenAI's words."""
    end = metadata.count(header, "tokenizer.ggml.eos_token_id")
    begin = metadata.count(header, "tokenizer.ggml.bos_token_id")
    decoder = {
        "session_options": {"log_id": "onnxruntime-genai", "provider_options": []},
        "filename": graph,
        "head_size": shape.head,
        "hidden_size": shape.embedding,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "num_hidden_layers": shape.layers,
        "inputs": {
            "input_ids": "input_ids",
            "attention_mask": "attention_mask",
            "past_key_names": "past_key_values.%d.key",
            "past_value_names": "past_key_values.%d.value",
        },
        "outputs": {
            "logits": "logits",
            "present_key_names": "present.%d.key",
            "present_value_names": "present.%d.value",
        },
    }
    return {
        "model": {
            "type": kind,
            "vocab_size": shape.vocabulary,
            "context_length": shape.context,
            "pad_token_id": NO_PAD,
            "bos_token_id": 0 if begin is None else begin,
            "eos_token_id": 0 if end is None else end,
            "decoder": decoder,
        },
        "search": {"do_sample": False, "max_length": shape.context, "past_present_share_buffer": True},
    }
