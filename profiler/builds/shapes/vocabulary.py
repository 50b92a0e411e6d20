"""A vocabulary that turns any text into tokens and tokens into text, and knows no language."""

from __future__ import annotations

from profiler.builds.shapes.header import Value
from profiler.errors import UserError

MERGED = "ab"
SPECIAL = ("<unk>", "<|endoftext|>", "<s>", "</s>")
"""Tokens that llama.cpp looks for where the name of a model has certain words in it."""

NORMAL, CONTROL = 1, 3


def byte_letters() -> list[str]:
    """GPT-2's printable stand-ins for the 256 bytes."""
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [n for n in range(256) if n not in kept]
    letters = {n: chr(n) for n in kept} | {n: chr(256 + place) for place, n in enumerate(rest)}
    return [letters[n] for n in range(256)]


def vocabulary_metadata(size: int, name: str) -> dict[str, Value]:
    """A GPT-2 tokenizer of `size` tokens: one for each byte, one of two letters because engines want a merge,
    special ones at the end, and others that no text has.

    Raises `UserError` for fewer tokens than that.
    """
    letters = byte_letters()
    least = len(letters) + 1 + len(SPECIAL)
    if size < least:
        raise UserError(f"{name} has a vocabulary of {size}; a shape needs {least} tokens at least")
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.tokens": [*letters, MERGED, *(f"<{n}>" for n in range(size - least)), *SPECIAL],
        "tokenizer.ggml.token_type": [NORMAL] * (size - len(SPECIAL)) + [CONTROL] * len(SPECIAL),
        "tokenizer.ggml.merges": ["a b"],
        "tokenizer.ggml.bos_token_id": size - 2,
        "tokenizer.ggml.eos_token_id": size - 1,
        "tokenizer.ggml.add_bos_token": False,
    }
