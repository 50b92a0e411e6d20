"""What `edgeprof build onnx --static` asks for: its options, and what does not go with them."""

from __future__ import annotations

import msgspec

from profiler.errors import UserError, nearest

WEIGHTS = ("int4", "float")
CHUNK, PAST = 32, 255


class Fixed(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of a prompt evaluated at once, rows of the cache, and how weights are held."""

    chunk: int = CHUNK
    past: int = PAST
    weights: str = WEIGHTS[0]

    def options(self) -> dict[str, str | int | bool | None]:
        """As a manifest has them."""
        return {"static": True, "chunk": self.chunk, "past": self.past, "weights": self.weights}


def fixed(static: bool, chunk: int | None, past: int | None, weights: str | None) -> Fixed | None:
    """What is fixed, or None for a build of varying lengths. Raises `UserError` for options that do not fit."""
    given = {"chunk": chunk, "past": past, "weights": weights}
    asked = {name: value for name, value in given.items() if value is not None}
    if asked and not static:
        raise UserError(
            f"--{next(iter(asked))} goes with --static: a build of varying lengths has no such limit"
        )
    if weights is not None and weights not in WEIGHTS:
        raise UserError(f"--weights {weights}: {nearest(weights, WEIGHTS)}")
    return msgspec.convert(asked, Fixed) if static else None


def refuse_others(via: str, check: bool) -> None:
    """Raises `UserError` for what a static build does not go with."""
    if via != "direct":
        raise UserError(f"--static goes with --via direct: {via} writes graphs of varying lengths")
    if check:
        raise UserError("--check compares a build of varying lengths: make one without --static")
