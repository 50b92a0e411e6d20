"""What would decide a limit that is undecided: processes of a fresh run, or something that rounds do not give."""

from __future__ import annotations

import math

from profiler.analyse.estimate import Estimate
from profiler.analyse.judged import Judged, processes_for
from profiler.analyse.limit_metrics import FIRST_TOKEN_PERCENTILES, GAP_PERCENTILES, METERED, Kind, kind
from profiler.analyse.report import Row
from profiler.analyse.rounds_needed import CHANCE, rounds_needed, spread
from profiler.analyse.simulated import BASIS as SIMULATED
from profiler.analyse.statistics import FEWEST_FOR_SIGNED_RANK, Interval, look_level
from profiler.analyse.study import Study
from profiler.runfile import MOST_ROUNDS

FOR_AN_INTERVAL = 12
"""Rounds from which on a signed-rank interval at 95% outlasts one ruined round (docs/method.md)."""

OF_ONE_WORKLOAD = ("pp_tps", "tg_tps")
"""What llama-bench measures by one workload each: a row of the other never has it."""

FRESH = "a fresh run with --processes"


def advice(judged: Judged, row: Row, study: Study | None) -> str:
    """One sentence on one limit: why it is open, where no interval shows it, and what would close it."""
    lacks = f"{judged.reason}; " if judged.low is None and judged.high is None else ""
    return f"{judged.metric}: {lacks}{_needed(judged, row, study)}"


def _needed(judged: Judged, row: Row, study: Study | None) -> str:
    figure = row.metrics.get(judged.metric)
    if judged.value is None and judged.metric in OF_ONE_WORKLOAD:
        return "name the workload that has it in the [[use]] of this limit"
    if study is None:
        return "measure it with edgeprof run, which keeps stamps"
    if row.basis == SIMULATED:
        return "measure it on the device itself"
    if judged.metric in FIRST_TOKEN_PERCENTILES:
        return _of_first_tokens(
            FIRST_TOKEN_PERCENTILES[judged.metric], judged, figure.processes if figure else 0
        )
    if judged.metric in GAP_PERCENTILES and judged.value is None and row.metrics:
        return "edgeprof run --limits plans enough passes for it"
    if figure is None or figure.value is None:
        return "a meter would tell it" if judged.metric in METERED else "limit a figure that this row has"
    if kind(judged.metric) is not Kind.INTERVAL or not figure.processes:
        return "limit a figure that has an interval"
    return _of_interval(judged, figure, study)


def _of_first_tokens(p: int, judged: Judged, processes: int) -> str:
    needed = processes_for(p)
    if needed > MOST_ROUNDS:
        return f"it takes {needed} processes, and a run has {MOST_ROUNDS} at most: limit a lower percentile"
    if judged.high is None:
        return f"{FRESH} {needed} would close its bound"
    more = min(max(4 * needed, 2 * processes), MOST_ROUNDS)
    return f"the limit lies between the bounds of its first tokens: {FRESH} {more} narrows them"


def _of_interval(judged: Judged, figure: Estimate, study: Study) -> str:
    """From the spread of the interval, as for a comparison, where there are enough processes for one."""
    few = figure.processes < FEWEST_FOR_SIGNED_RANK
    if few or not figure.low or not figure.high or not judged.asked:
        return f"{FRESH} {FOR_AN_INTERVAL} has one that decides"
    logs = [math.log(value) for value in (figure.value or 1.0, figure.low, figure.high)]
    bounds = Interval(
        centre=logs[0],
        low=logs[1],
        high=logs[2],
        level=study.level,
        method="paired-t" if figure.provisional else "signed-rank",
        provisional=figure.provisional,
    )
    away = logs[0] - math.log(judged.asked)
    need = rounds_needed(away, spread(bounds, figure.processes), look_level(1), same_zone=0.0)
    if need.rounds is None:
        return f"it lies too close to its limit: {need.reason}"
    return f"{FRESH} {need.rounds} would decide it with {100 * CHANCE:.0f}% chance, if the speed stays what it is"
