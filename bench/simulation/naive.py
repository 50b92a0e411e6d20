"""What others do, on the same sessions: rules that look right and do not keep their word.

They stand beside edgeprof's so that the simulation is seen to be able to fail.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean

from scipy.stats import ttest_ind

from profiler.analyse.metrics import PASS_METRICS, Metric
from profiler.analyse.statistics import FEWEST_FOR_SIGNED_RANK, interval
from profiler.runfile import Case, Worker, counted

LEVEL = 0.95
Logs = Sequence[float]


def every_round(ratios: Logs) -> bool:
    """Look at the 95% interval of the log ratios after every round; call a difference as soon as it excludes 0."""
    looks = range(FEWEST_FOR_SIGNED_RANK, len(ratios) + 1)
    return any(_excludes_zero(ratios[:n]) for n in looks)


def _excludes_zero(ratios: Logs) -> bool:
    bounds = interval(ratios, LEVEL)
    return bounds is not None and (bounds.low > 0 or bounds.high < 0)


def by_passes(base: Logs, candidate: Logs) -> bool:
    """Take the passes of one process as independent samples, and call two processes different at 95% (Welch)."""
    return bool(ttest_ind(base, candidate, equal_var=False).pvalue < 1 - LEVEL)


def one_after_the_other(base: Sequence[Logs], candidate: Sequence[Logs]) -> bool:
    """Measure all of one case, then all of the other; call the means of their processes different (Welch)."""
    return by_passes(list(map(fmean, base)), list(map(fmean, candidate)))


def pass_logs(metric: Metric, case: Case, worker: Worker) -> list[float]:
    """The log of the metric of every pass, disturbed or not."""
    figures = [PASS_METRICS[metric](done, case.workload) for done in counted(worker.passes)]
    return [math.log(figure) for figure in figures if figure]
