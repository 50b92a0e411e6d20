"""Which workers and passes of a run count, and what each contributes: one value per worker."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import median

import msgspec

from profiler.analyse.intrusion import counted, intruded
from profiler.analyse.metrics import PassFormula, WorkerFormula
from profiler.runfile import Case, Pass, Worker

FEWEST_QUIET_ROUNDS = 3


class Samples(msgspec.Struct, frozen=True, kw_only=True):
    """The workers of one case that stand for their rounds, with the passes of each that enter a headline."""

    passes: dict[int, list[Pass]]
    workers: dict[int, Worker]
    excluded: int
    kept_although_disturbed: bool


def standing_attempts(workers: Iterable[Worker]) -> dict[int, int]:
    """The attempt that stands for each round: of those in which the most cases were measured, the last."""
    measured: dict[int, dict[int, set[str]]] = {}
    for worker in workers:
        cases = measured.setdefault(worker.round, {}).setdefault(worker.attempt, set())
        if worker.failure is None:
            cases.add(worker.case)
    return {
        number: max(attempts, key=lambda attempt: (len(attempts[attempt]), attempt))
        for number, attempts in measured.items()
    }


def samples(workers: Sequence[Worker], standing: Mapping[int, int], cores: int) -> Samples:
    """Of one case's workers the passes that count. Disturbed ones are left out, unless almost all were.

    `excluded` are finished passes that count for nothing: disturbed, measured again, of a failed worker.
    """
    mine = {
        worker.round: worker
        for worker in workers
        if worker.attempt == standing[worker.round] and worker.failure is None and counted(worker.passes)
    }
    every = {number: counted(worker.passes) for number, worker in mine.items()}
    quiet = {number: [p for p in passes if not intruded(p, cores)] for number, passes in every.items()}
    quiet = {number: passes for number, passes in quiet.items() if passes}
    keep_all = len(quiet) < min(FEWEST_QUIET_ROUNDS, len(every))
    kept = every if keep_all else quiet
    total = sum(len(counted(worker.passes)) for worker in workers)
    return Samples(
        passes=kept,
        workers=mine,
        excluded=total - sum(map(len, kept.values())),
        kept_although_disturbed=keep_all,
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


def log_values_of_workers(formula: WorkerFormula, found: Samples) -> dict[int, float]:
    """For each round the log of its worker's one figure, where that is above zero."""
    figures = {number: formula(worker) for number, worker in found.workers.items()}
    return {number: math.log(value) for number, value in figures.items() if value is not None and value > 0}
