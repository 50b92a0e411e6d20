"""The one word said about a comparison of a candidate with its base."""

from __future__ import annotations

import math
from enum import StrEnum

from profiler.analyse.statistics import Interval

SAME_ZONE = 0.03
"""A difference that is shown to be smaller than this is called the same."""


class Verdict(StrEnum):
    """What a comparison came to. NOT_COMPARABLE is found before any interval, where the cases are unlike."""

    BETTER = "better"
    WORSE = "worse"
    SAME = "same"
    UNDECIDED = "undecided"
    NOT_COMPARABLE = "not_comparable"


def judge(
    interval: Interval | None, *, at_planned_stop: bool, higher_is_better: bool, same_zone: float = SAME_ZONE
) -> Verdict:
    """The verdict of an interval of log(candidate / base).

    An interval that excludes 0 is better or worse, even if it lies inside the same-zone: a small difference
    that was shown is told, and its size must stand beside the word. Only then, an interval wholly between the
    ratios 1 / (1 + same_zone) and 1 + same_zone is the same. Undecided if there is no interval, if it is
    provisional, or if the run is not at its planned stop.
    """
    if interval is None or interval.provisional or not at_planned_stop:
        return Verdict.UNDECIDED
    rose = interval.low > 0
    if rose or interval.high < 0:
        return Verdict.BETTER if rose == higher_is_better else Verdict.WORSE
    edge = math.log1p(same_zone)
    if -edge <= interval.low and interval.high <= edge:
        return Verdict.SAME
    return Verdict.UNDECIDED
