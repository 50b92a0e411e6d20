"""Where text is split before byte-pair encoding, by the names that GGUF files use.

Source: `llm_tokenizer_bpe` and `llama_vocab::impl::load` in src/llama-vocab.cpp of llama.cpp.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec


class PreTokenizer(msgspec.Struct, frozen=True, kw_only=True):
    """`splits` in the words of tokenizer.json, then GPT-2's own pattern or none; `ignore_merges` where a whole
    piece that is a token stays one; `add_bos` is llama.cpp's default where the file does not say."""

    splits: tuple[Mapping[str, Any], ...] = ()
    then_gpt2: bool = False
    ignore_merges: bool = False
    add_bos: bool = False


def _pattern(regex: str) -> Mapping[str, Any]:
    return MappingProxyType(
        {"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": False}
    )


_DIGITS = MappingProxyType({"type": "Digits", "individual_digits": True})
_CONTRACTIONS = r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"
_REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_LLAMA_3 = _pattern(_CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}" + _REST)
_UPPER, _LOWER = r"(?:(?=\p{L})[^a-z])", r"(?:(?=\p{L})[^A-Z])"
_GPT_4O = _pattern(
    rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+{_CONTRACTIONS}?"
    rf"|[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*{_CONTRACTIONS}?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_QWEN_2 = _pattern(_CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}" + _REST)

GPT_2 = PreTokenizer(then_gpt2=True)
SINGLE_DIGITS = PreTokenizer(splits=(_DIGITS,), then_gpt2=True)
LLAMA_3 = PreTokenizer(splits=(_LLAMA_3,), ignore_merges=True, add_bos=True)
QWEN_2 = PreTokenizer(splits=(_QWEN_2,))

PRE_TOKENIZERS: Mapping[str, PreTokenizer] = MappingProxyType(
    {
        **dict.fromkeys(("gpt-2", "mpt", "olmo", "jais", "trillion"), GPT_2),
        **dict.fromkeys(
            ("smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"), SINGLE_DIGITS
        ),
        **dict.fromkeys(("llama-bpe", "llama3", "llama-v3", "falcon3"), LLAMA_3),
        **dict.fromkeys(("dbrx", "smaug-bpe"), PreTokenizer(splits=(_LLAMA_3,))),
        **dict.fromkeys(("gpt-4o", "llama4", "kanana2"), PreTokenizer(splits=(_GPT_4O,))),
        **dict.fromkeys(("qwen2", "deepseek-r1-qwen", "stablelm2", "megrez"), QWEN_2),
    }
)
