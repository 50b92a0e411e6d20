"""What many simulated sessions come to: alarms, coverage, what is found and how long that takes."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable, Sequence
from functools import partial
from statistics import fmean

import msgspec

from bench.simulation.machines import Machine
from bench.simulation.naive import by_passes, every_round, one_after_the_other, pass_logs
from bench.simulation.sessions import (
    CANDIDATE,
    MAX_TIME_S,
    PARTS_S,
    Session,
    blocks_of,
    planned,
    simulated,
    stamped,
)
from profiler.analyse.comparison import Comparison, log_ratios
from profiler.analyse.contrasts import comparisons
from profiler.analyse.metrics import PASS_METRICS, Metric, judged_metrics
from profiler.analyse.statistics import interval
from profiler.analyse.study import Study
from profiler.analyse.verdict import Verdict
from profiler.measure.planning import CHECKPOINTS
from profiler.runfile import Worker, Workload

BLOCK = 8
"""Processes of each block, where a naive design measures one case to its end before the other."""


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of session: the candidate takes `effect` times as long. `rounds` None leaves the end to the looks."""

    machine: Machine
    workload: Workload
    effect: float = 1.0
    rounds: int | None = None
    max_time_s: float = MAX_TIME_S


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What the report of one session says, beside the truth.

    `right` is the share of the judged metrics whose verdict has the true sign, `wrong` whether any has another one:
    where nothing differs, any verdict of better or worse. `same` and `covered` are of all ratios at once, as the
    report promises it, `half_width` of the widest (as a log). `alone` has one entry for each metric of each case:
    whether its interval holds what the case takes on this machine as slow as it was during the session; none where
    that is not known.
    """

    rounds: int
    seconds: float
    right: float
    wrong: bool
    same: bool
    covered: bool
    half_width: float
    alone: list[bool]


def outcome(session: Session, effect: float) -> Outcome:
    """The judgement of one session whose candidate takes `effect` times as long as its base."""
    study = session.study()
    found = comparisons(study, None)
    said, true = [sign(item.verdict) for item in found], (effect < 1) - (effect > 1)
    return Outcome(
        rounds=session.rounds,
        seconds=session.seconds,
        right=fmean(word == true != 0 for word in said),
        wrong=any(word not in (0, true) for word in said),
        same=all(item.verdict is Verdict.SAME for item in found),
        covered=covered(found, effect),
        half_width=half_width(found),
        alone=_alone(study, session.usual, effect),
    )


def sign(verdict: Verdict) -> int:
    """1 for better, -1 for worse, else 0."""
    return (verdict is Verdict.BETTER) - (verdict is Verdict.WORSE)


def covered(found: Iterable[Comparison], effect: float) -> bool:
    """Whether the interval of every ratio holds the true one."""
    return all(low <= _true_ratio(item, effect) <= high for item in found for low, high in [_bounds(item)])


def half_width(found: Iterable[Comparison]) -> float:
    """Of the widest interval, as a log."""
    return max(math.log(high / low) / 2 for low, high in map(_bounds, found))


def _bounds(item: Comparison) -> tuple[float, float]:
    assert item.low is not None, item
    assert item.high is not None, item
    return item.low, item.high


def _true_ratio(item: Comparison, effect: float) -> float:
    faster_is_more = next(m.higher_is_better for m in PASS_METRICS if m.name == item.metric)
    return 1 / effect if faster_is_more else effect


def _alone(study: Study, usual: float | None, effect: float) -> list[bool]:
    """For each case and judged metric, whether the interval of the case alone holds its true value."""
    held: list[bool] = []
    if usual is None:
        return held
    for case in study.plan.cases:
        factor = math.exp(usual) * (effect if case.id == CANDIDATE else 1.0)
        prefill_s, decode_s = PARTS_S[case.workload.method]
        truly = stamped(case.workload, factor * prefill_s, factor * decode_s)
        for metric in judged(study):
            bounds = interval(list(study.logs(metric, case).values()), study.level)
            value = PASS_METRICS[metric](truly, case.workload)
            assert bounds is not None
            assert value is not None
            held.append(bounds.low <= math.log(value) <= bounds.high)
    return held


def judged(study: Study) -> list[Metric]:
    """The metrics that comparisons of this run are judged on: pp needs a prompt, tg an answer."""
    first = study.plan.cases[0]
    return [metric for metric in judged_metrics(first.workload.method) if study.logs(metric, first)]


class Looked(msgspec.Struct, frozen=True, kw_only=True):
    """A session of equal builds that went through all looks: whether the intervals of each look held.

    Then what other rules would have said: whether they call a difference where there is none.
    """

    covered: list[bool]
    every_round: bool
    by_passes: bool
    in_blocks: bool


def looked(session: Session, pair: Sequence[Worker], blocks: Sequence[Sequence[Worker]]) -> Looked:
    """The judgement of a session of equal builds, of two neighbouring processes, and of two blocks of them."""
    study = session.study()
    (base, candidate), metric = study.plan.cases, judged(study)[-1]
    logs = partial(pass_logs, metric, base)
    return Looked(
        covered=[covered(comparisons(session.study(n), None), 1.0) for n in CHECKPOINTS],
        every_round=every_round(log_ratios(study.logs(metric, base), study.logs(metric, candidate))),
        by_passes=by_passes(*map(logs, pair)),
        in_blocks=one_after_the_other(*(list(map(logs, block)) for block in blocks)),
    )


def looked_on(machine: Machine, workload: Workload, seed: int) -> Looked:
    """One session on this machine through all looks, and another one in blocks."""
    plan = planned(workload, seed, to_the_end=True)
    session = simulated(machine, plan, 1.0, seed)
    return looked(session, session.run.workers[:2], blocks_of(machine, plan, BLOCK, seed))


def one(cell: Cell, seed: int) -> Outcome:
    """One session of this kind."""
    plan = planned(cell.workload, seed, rounds=cell.rounds, max_time_s=cell.max_time_s)
    return outcome(simulated(cell.machine, plan, cell.effect, seed), cell.effect)


def first_seed(*words: object) -> int:
    """A seed that no other cell of the tables comes near."""
    return zlib.crc32("/".join(map(str, words)).encode()) << 20
