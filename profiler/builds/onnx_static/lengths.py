"""The lengths that the graphs of a static build are written for, and how they are named."""

from __future__ import annotations

import msgspec

from profiler.builds.model_file import BadModelFile
from profiler.builds.onnx_direct.shape import Shape

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


def check_lengths(lengths: Lengths, shape: Shape, name: str) -> None:
    """Raises BadModelFile unless the model of the file `name` can be written for these lengths."""
    if lengths.context > shape.context:
        raise BadModelFile(
            f"{name}: --past {lengths.past} is beyond its context of {shape.context} tokens; "
            f"accepted: up to {shape.context - 1}."
        )
    if lengths.chunk > lengths.context:
        raise BadModelFile(
            f"{name}: --chunk {lengths.chunk} is longer than the context of --past {lengths.past} and one token; "
            f"accepted: up to {lengths.context}."
        )
    narrowest = min((window for window in shape.windows if window is not None), default=lengths.context)
    if narrowest < lengths.context:
        raise BadModelFile(
            f"{name}: has layers that attend to {narrowest} tokens, which a static build does not leave out; "
            f"use --past {narrowest - 1} or less."
        )
