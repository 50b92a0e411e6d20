"""Which workers and passes of a run count, and what each contributes: one value per worker."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from statistics import median

import msgspec

from profiler.analyse.gaps import gaps_ns
from profiler.analyse.intrusion import intruded
from profiler.analyse.metrics import PassFormula, WorkerFormula
from profiler.runfile import Case, Pass, Worker, counted

FEWEST_QUIET_ROUNDS = 3

INTRUDED, AGAIN, FAILED = "disturbed by others", "of a round measured again", "of a worker that failed"


class Samples(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """The workers of one case that stand for their rounds, with the passes of each that enter a headline.

    `left_out` counts the finished passes that enter none, by why: the words of `INTRUDED`, `AGAIN`, `FAILED`.
    What several parts of a report need is computed once and kept.
    """

    passes: dict[int, list[Pass]]
    workers: dict[int, Worker]
    left_out: dict[str, int]
    kept_although_disturbed: bool

    @property
    def excluded(self) -> int:
        """How many finished passes count for nothing."""
        return sum(self.left_out.values())

    @cached_property
    def gaps_ns(self) -> dict[int, list[list[int]]]:
        """For each round the gaps between the tokens of each counted pass."""
        return {number: list(map(gaps_ns, passes)) for number, passes in self.passes.items()}

    @cached_property
    def figures(self) -> dict[PassFormula, dict[int, list[float]]]:
        """What `pass_values` has computed so far."""
        return {}


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


def of_cases(
    workers: Mapping[str, Sequence[Worker]], standing: Mapping[int, int], cores: int
) -> dict[str, Samples]:
    """The passes that count of each case of a run. If one case must keep its disturbed ones, all do.

    Else one side of a ratio would have been disturbed and the other not.
    """
    found = {name: samples(mine, standing, cores) for name, mine in workers.items()}
    if not any(s.kept_although_disturbed and len(s.workers) >= FEWEST_QUIET_ROUNDS for s in found.values()):
        return found
    return {name: samples(mine, standing, cores, keep_all=True) for name, mine in workers.items()}


def samples(
    workers: Sequence[Worker], standing: Mapping[int, int], cores: int, *, keep_all: bool = False
) -> Samples:
    """Of one case's workers the passes that count. Disturbed ones are left out, unless almost all were."""
    mine = {
        worker.round: worker
        for worker in workers
        if worker.attempt == standing[worker.round] and worker.failure is None and counted(worker.passes)
    }
    every = {number: counted(worker.passes) for number, worker in mine.items()}
    quiet = {number: [p for p in passes if not intruded(p, cores)] for number, passes in every.items()}
    quiet = {number: passes for number, passes in quiet.items() if passes}
    keep_all = keep_all or len(quiet) < min(FEWEST_QUIET_ROUNDS, len(every))
    kept = every if keep_all else quiet
    left_out = {
        INTRUDED: _amount(every.values()) - _amount(kept.values()),
        AGAIN: _amount(
            counted(w.passes) for w in workers if w.failure is None and w.attempt != standing[w.round]
        ),
        FAILED: _amount(counted(w.passes) for w in workers if w.failure is not None),
    }
    return Samples(
        passes=kept,
        workers=mine,
        left_out={why: count for why, count in left_out.items() if count},
        kept_although_disturbed=keep_all,
    )


def _amount(passes: Iterable[Sequence[Pass]]) -> int:
    return sum(map(len, passes))


def pass_values(formula: PassFormula, case: Case, found: Samples) -> dict[int, list[float]]:
    """For each round the figures of its counted passes; only positive ones have a log."""
    if formula not in found.figures:
        each = {number: _positive(formula, case, passes) for number, passes in found.passes.items()}
        found.figures[formula] = {number: values for number, values in each.items() if values}
    return found.figures[formula]


def _positive(formula: PassFormula, case: Case, passes: Iterable[Pass]) -> list[float]:
    figures = [formula(done, case.workload) for done in passes]
    return [value for value in figures if value is not None and value > 0]


def round_values(formula: PassFormula, case: Case, found: Samples) -> dict[int, float]:
    """For each round the median of its passes."""
    return {number: median(values) for number, values in pass_values(formula, case, found).items()}


def log_values(formula: PassFormula, case: Case, found: Samples) -> dict[int, float]:
    """For each round the log of the median of its passes: what pairs and intervals are made from."""
    return {number: math.log(value) for number, value in round_values(formula, case, found).items()}


def log_values_of_workers(formula: WorkerFormula, found: Samples) -> dict[int, float]:
    """For each round the log of its worker's one figure, where that is above zero."""
    figures = {number: formula(worker) for number, worker in found.workers.items()}
    return {number: math.log(value) for number, value in figures.items() if value is not None and value > 0}
