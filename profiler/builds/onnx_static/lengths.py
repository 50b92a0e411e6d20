"""The lengths that the graphs of a static build are written for, and how they are named."""

from __future__ import annotations

import msgspec

PREFILL, DECODE = "prefill.onnx", "decode.onnx"
"""The graph of a chunk of a prompt, and that of one token, over the same file of weights."""


class Lengths(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of a prompt that are evaluated at once, and rows of the cache."""

    chunk: int
    past: int

    @property
    def context(self) -> int:
        """Tokens that can be evaluated one after the other: the last one needs no row."""
        return self.past + 1
