"""What each process of a case contributes to a metric, from its stamps on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec

from profiler.analyse import symbols
from profiler.analyse.left_out import left_out
from profiler.analyse.metrics import PASS_METRICS, Metric, PassFormula, WorkerFormula, energy_value, ttft
from profiler.analyse.percentiles import first_tokens_ms, gap_percentiles_ms, gaps_of_rounds
from profiler.analyse.samples import round_values
from profiler.analyse.study import Study
from profiler.analyse.symbols import Symbol
from profiler.runfile import Case, Pass, Worker


class PassSteps(msgspec.Struct, frozen=True, kw_only=True):
    """One pass: the symbols of the formula, what it gives, and why it does not count, if it does not."""

    number: int
    symbols: dict[str, Symbol]
    value: float | None
    left_out: str | None


class ProcessSteps(msgspec.Struct, frozen=True, kw_only=True):
    """One worker: its passes, or its own symbols where the metric is one of the worker; its one value and log.

    `value` is None for a worker that gives none. `log` is None also where the metric takes no logs.
    """

    round: int
    attempt: int
    passes: list[PassSteps]
    symbols: dict[str, Symbol]
    value: float | None
    log: float | None


def of_passes(study: Study, case: Case, metric: Metric) -> list[ProcessSteps]:
    """Every pass by the formula; the value of a process is the median of those that count."""
    formula = PASS_METRICS[metric]
    return _processes(study, case, metric, formula, round_values(formula, case, study.samples[case.id]))


def of_first_tokens(study: Study, case: Case, metric: Metric) -> list[ProcessSteps]:
    """The first counted pass of each process."""
    found = _processes(study, case, metric, ttft, first_tokens_ms(case, study.samples[case.id]))
    return [msgspec.structs.replace(one, passes=_first_only(one.passes), log=None) for one in found]


def of_gaps(study: Study, case: Case, metric: Metric, p: int) -> list[ProcessSteps]:
    """All gaps of the counted passes of a process, and their percentile."""
    found = study.samples[case.id]
    values = gap_percentiles_ms(gaps_of_rounds(found), p)
    return [
        _process(worker, [], only_named(metric, symbols.of_gaps(found.passes[number])), values.get(number))
        for number, worker in found.workers.items()
        if number in found.passes
    ]


def of_workers(study: Study, case: Case, metric: Metric, formula: WorkerFormula) -> list[ProcessSteps]:
    """What each worker says by the formula."""
    return [
        _process(worker, [], only_named(metric, symbols.of_worker(worker)), formula(worker))
        for worker in study.samples[case.id].workers.values()
    ]


def of_energy(study: Study, case: Case, metric: Metric) -> list[ProcessSteps]:
    """The energy of each worker's counted passes, and its one value; no value where the figure is refused."""
    metered, logs = study.energy[case.id], study.logs(metric, case)
    workers = study.samples[case.id].workers
    return [
        _process(
            workers[number],
            [],
            only_named(metric, symbols.of_energy(spent)),
            energy_value(metric, spent) if number in logs else None,
        )
        for number, spent in (metered.spent.items() if metered else ())
    ]


def _processes(
    study: Study, case: Case, metric: Metric, formula: PassFormula, values: Mapping[int, float]
) -> list[ProcessSteps]:
    """All workers of a case, those included that give no value."""
    standing = study.samples[case.id].workers
    found = []
    for worker in study.workers[case.id]:
        stands = standing.get(worker.round) is worker
        passes = [_pass(study, case, metric, formula, worker, done) for done in worker.passes]
        found.append(_process(worker, passes, {}, values.get(worker.round) if stands else None))
    return found


def _pass(
    study: Study, case: Case, metric: Metric, formula: PassFormula, worker: Worker, done: Pass
) -> PassSteps:
    value = formula(done, case.workload)
    why = left_out(done, worker, study.samples[case.id], study.cores)
    return PassSteps(
        number=done.number,
        symbols=only_named(metric, symbols.of_pass(done, case.workload)),
        value=value,
        left_out=why or (None if value is not None and value > 0 else metric.absent),
    )


def _process(
    worker: Worker, passes: list[PassSteps], named: dict[str, Symbol], value: float | None
) -> ProcessSteps:
    return ProcessSteps(
        round=worker.round,
        attempt=worker.attempt,
        passes=passes,
        symbols=named,
        value=value,
        log=math.log(value) if value is not None and value > 0 else None,
    )


def _first_only(passes: Sequence[PassSteps]) -> list[PassSteps]:
    """The first pass that counts and those that are left out."""
    counted = [done.number for done in passes if done.left_out is None]
    return [done for done in passes if done.number not in counted[1:]]


def only_named(metric: Metric, known: Mapping[str, Symbol]) -> dict[str, Symbol]:
    """The symbols that the formula of this metric names."""
    return {name: known[name] for name in symbols.named_in(metric.formula) if name in known}
