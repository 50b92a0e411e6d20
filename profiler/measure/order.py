"""In which order the cases of a round are visited."""

from __future__ import annotations

import random
from collections.abc import Sequence


def order(case_ids: Sequence[str], seed: int, round_number: int, attempt: int) -> list[str]:
    """The cases in an order drawn for this round and attempt alone: the same seed gives the same run.

    For two cases it is a fair coin flip, which is what makes the signed-rank interval exact.
    """
    shuffled = list(case_ids)
    random.Random(f"{seed}/{round_number}/{attempt}").shuffle(shuffled)  # noqa: S311
    return shuffled
