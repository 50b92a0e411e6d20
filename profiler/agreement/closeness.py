"""How near two sets of logits are, and when a build is no worse than the engine's own noise. Pure NumPy."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from profiler.runfile import Closeness

Logits = npt.NDArray[np.float32]
PerPosition = npt.NDArray[np.float64]

ROWS = 64
"""Positions that are computed at once: a large vocabulary takes memory."""

BLOCK = 32
"""Positions in a block. Neighbouring positions depend on each other, so blocks are what is compared."""

ONE_SIDED_99 = {4: 4.541, 8: 2.998, 12: 2.718, 16: 2.602, 24: 2.500, 32: 2.453}
"""Student's t at 99%, one-sided, by number of blocks (degrees of freedom one less): three things are tested."""


NEGLIGIBLE_NATS = 1e-3
"""A tenth of a percent of perplexity: where the noise is smaller still, more than it is no disagreement."""


class Compared(msgspec.Struct, frozen=True):
    """Figures of each position: same top token (0 or 1), divergence in nats, surprise at the next token in nats."""

    same: PerPosition
    divergence: PerPosition
    surprise: PerPosition
    largest: float

    def summary(self) -> Closeness:
        """The figures over all positions."""
        return Closeness(
            top1=float(self.same.mean()),
            largest=self.largest,
            kl=max(0.0, float(self.divergence.mean())),
            perplexity=math.exp(float(self.surprise.mean())),
        )


def compare(candidate: Logits, reference: Logits, ids: Sequence[int]) -> Compared:
    """`candidate` beside `reference`, both (positions, vocabulary), for the text with these token ids.

    Divergence is KL(reference || candidate); surprise is the candidate's at the token that follows.
    """
    same, divergence, surprise, largest = [], [], [], 0.0
    for first in range(0, len(ids), ROWS):
        mine, theirs = candidate[first : first + ROWS], reference[first : first + ROWS]
        logs, wanted = _log_softmax(mine), _log_softmax(theirs)
        same.append(mine.argmax(axis=1) == theirs.argmax(axis=1))
        divergence.append((np.exp(wanted) * (wanted - logs)).sum(axis=1))
        following = np.asarray(ids[first + 1 : first + 1 + mine.shape[0]])
        surprise.append(-logs[np.arange(following.size), following])
        largest = max(largest, float(np.abs(mine - theirs).max()))
    return Compared(
        np.concatenate(same).astype(np.float64), np.concatenate(divergence), np.concatenate(surprise), largest
    )


def _log_softmax(logits: Logits) -> PerPosition:
    wide = logits.astype(np.float64)
    wide -= wide.max(axis=1, keepdims=True)
    return np.asarray(wide - np.log(np.exp(wide).sum(axis=1, keepdims=True)))


def excess(found: PerPosition, allowed: PerPosition) -> float | None:
    """By how much `found` is larger than `allowed` beyond doubt; None if it is not, or not beyond doubt.

    The lower bound of a one-sided 99% interval for the mean difference, paired by position, over blocks.
    """
    difference = found[: allowed.size] - allowed[: found.size]
    blocks = difference.size // BLOCK
    if blocks < min(ONE_SIDED_99):
        return None
    means = difference[: blocks * BLOCK].reshape(blocks, BLOCK).mean(axis=1)
    quantile = next(t for size, t in reversed(ONE_SIDED_99.items()) if size <= blocks)
    bound = float(means.mean() - quantile * means.std(ddof=1) / math.sqrt(blocks))
    return bound if bound > 0 else None


def worse_than_noise(fast: Compared, floor: Compared, batched_surprise: PerPosition) -> list[str]:
    """What of a build is worse, beyond doubt, than llama.cpp one by one against its own batch."""
    failures = []
    if (more := excess(1 - fast.same, 1 - floor.same)) is not None:
        failures.append(f"its top token differs at {100 * more:.2g}% more positions than llama.cpp's own")
    if (more := excess(fast.divergence, floor.divergence) or 0.0) > NEGLIGIBLE_NATS:
        failures.append(f"its divergence is {more:.2g} nats above llama.cpp's own noise")
    noise = np.abs(floor.surprise - batched_surprise)
    if (more := excess(fast.surprise - batched_surprise, noise) or 0.0) > NEGLIGIBLE_NATS:
        failures.append(f"its surprise at the text is {more:.2g} nats above that of llama.cpp and its noise")
    return failures
