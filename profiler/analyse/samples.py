"""Which workers and passes of a run count, and what each contributes: one value per worker."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import median

import msgspec

from profiler.analyse.intrusion import counted, intruded
from profiler.analyse.metrics import PassFormula
from profiler.runfile import Case, Pass, Worker

FEWEST_QUIET_ROUNDS = 3


class Samples(msgspec.Struct, frozen=True, kw_only=True):
    """The workers of one case that stand for their rounds, with the passes of each that enter a headline."""

    passes: dict[int, list[Pass]]
    workers: dict[int, Worker]
    excluded: int
    kept_although_disturbed: bool


def standing_attempts(workers: Iterable[Worker]) -> dict[int, int]:
    """The attempt that stands for each round: the last one in which every case was visited, else the last."""
    visited: dict[int, dict[int, set[str]]] = {}
    for worker in workers:
        visited.setdefault(worker.round, {}).setdefault(worker.attempt, set()).add(worker.case)
    most = {number: max(len(ids) for ids in attempts.values()) for number, attempts in visited.items()}
    return {
        number: max(a for a, ids in attempts.items() if len(ids) == most[number])
        for number, attempts in visited.items()
    }


def samples(case: Case, workers: Sequence[Worker], standing: dict[int, int], cores: int) -> Samples:
    """The passes of a case that count. Passes that others disturbed are left out, unless almost all were."""
    mine = {
        w.round: w
        for w in workers
        if w.case == case.id and w.attempt == standing[w.round] and w.failure is None and counted(w.passes)
    }
    every = {number: counted(worker.passes) for number, worker in mine.items()}
    quiet = {number: [p for p in passes if not intruded(p, cores)] for number, passes in every.items()}
    quiet = {number: passes for number, passes in quiet.items() if passes}
    keep_all = len(quiet) < min(FEWEST_QUIET_ROUNDS, len(every))
    kept = every if keep_all else quiet
    total = sum(len(counted(w.passes)) for w in workers if w.case == case.id)
    return Samples(
        passes=kept,
        workers=mine,
        excluded=total - sum(map(len, kept.values())),
        kept_although_disturbed=keep_all and len(quiet) < len(every),
    )


def log_values(formula: PassFormula, case: Case, found: Samples) -> dict[int, float]:
    """For each round the log of the median of its passes: what pairs and intervals are made from."""
    values = {}
    for number, passes in found.passes.items():
        figures = [formula(done, case.workload) for done in passes]
        positive = [figure for figure in figures if figure is not None and figure > 0]
        if positive:
            values[number] = math.log(median(positive))
    return values
