"""Which part of a decoder an operation belongs to, by its own name and by that of its weights."""

from __future__ import annotations

import re
from functools import lru_cache

ATTENTION, FEED_FORWARD, EXPERTS, NORM = "attention", "feed_forward", "experts", "norm"
HEAD, EMBEDDING, OTHER = "head", "embedding", "other"
BETWEEN, SAMPLING, UNEXPLAINED = "between", "sampling", "unexplained"
KINDS = (ATTENTION, FEED_FORWARD, EXPERTS, NORM, HEAD, EMBEDDING, OTHER, BETWEEN, SAMPLING, UNEXPLAINED)
"""Kinds in the order of a report. Between operations the engine starts the next one; sampling is what is done around
the graph; what is unexplained lies in the graph and nothing accounts for it."""

ANY = ""
RULES = (
    (EMBEDDING, None, r"GET_ROWS", r"token_embd$"),
    (EMBEDDING, None, ANY, r"(inp_)?embd$|inp_scaled|embed"),
    (HEAD, None, ANY, r"(token_embd|output|result_output.*)$|(lm_)?head\b|logits\b"),
    (EXPERTS, "router", ANY, r".*(gate_inp|exp_probs|moe_(logits|probs|argsort|topk|weights|selection)|router)"),
    (EXPERTS, "gate and up", ANY, r"ffn_(moe_)?(gate|up|gate_up)_(exps|shexp|chexps|biased)|ffn_(moe|shexp)_(gate|up)"),
    (EXPERTS, "down", ANY, r"ffn_(moe_)?down(_(exps|shexp|chexps|biased))$|ffn_moe_down"),
    (EXPERTS, "choice and sum", ANY, r".*(ffn_moe|shexp|moe\b|expert)"),
    (EXPERTS, "choice and sum", r"Q?MoE$", ANY),
    (NORM, None, r"(RMS_|L2_|GROUP_)?NORM$|.*Normalization$", ANY),
    (NORM, None, ANY, r"(.*_)?norm(ed)?$|l_out|sa_out|ffn_inp|out_ids|attn_residual|(.*/)?[a-z_]*norm[a-z_]*/|Add$"),
    (ATTENTION, "scores", r"FLASH_ATTN_EXT$|(Group|Multi|Linear)\w*Attention$|Attention$|SparseAttention$", ANY),
    (ATTENTION, "cache", r"SET_ROWS$", ANY),
    (ATTENTION, "cache", ANY, r"cache_"),
    (ATTENTION, "rope", r"ROPE$|RotaryEmbedding$", ANY),
    (ATTENTION, "rope", ANY, r".*rotary"),
    (ATTENTION, "qkv", ANY, r"attn_qkv|wqkv|.*attn.*/(qkv|qkv_proj|query_key_value)\b"),
    (ATTENTION, "q", ANY, r"attn_q(_[ab])?$|.*attn.*/q(_proj)?\b"),
    (ATTENTION, "k", ANY, r"attn_(k|k_b|kv_a_mqa|kv_b)$|.*attn.*/k(_proj)?\b"),
    (ATTENTION, "v", ANY, r"attn_v(_b)?$|.*attn.*/v(_proj)?\b"),
    (ATTENTION, "output", ANY, r"attn_out(put)?$|.*attn.*/(o|output|o_proj|out_proj)\b"),
    (ATTENTION, "scores", ANY, r"kqv?|[QKV]cur|[qkv]_|kv_|attn|.*attn|.*attention"),
    (FEED_FORWARD, "gate and up", ANY, r"ffn_(gate|up)|.*(mlp|ffn)/(gate|up|gate_up|gate_proj|up_proj)\b"),
    (FEED_FORWARD, "down", ANY, r"ffn_(down|out)|.*(mlp|ffn)/(down|down_proj)\b"),
    (FEED_FORWARD, "activation", ANY, r"ffn|.*(mlp|ffn|feed_forward)"),
)  # fmt: skip
"""Kind, member, and what operation and part begin with. The first rule that fits holds.

ggml's names are those of llama.cpp's weights and graph nodes, ONNX names paths as this program's writer, ONNX Runtime
GenAI's and Optimum's exporter have them.
"""

_COMPILED = [(kind, member, re.compile(op), re.compile(part)) for kind, member, op, part in RULES]


@lru_cache(maxsize=4096)
def kind_of(op: str, part: str) -> tuple[str, str | None]:
    """The kind, and the member of it where it has several."""
    for kind, member, of_op, of_part in _COMPILED:
        if of_op.match(op) and of_part.match(part):
            return kind, member
    return OTHER, None
