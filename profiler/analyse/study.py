"""A run with the samples of each case: what every part of a report starts from."""

from __future__ import annotations

import math
from functools import cached_property

from profiler.analyse import energy, extrapolated_lines, said
from profiler.analyse.energy import Metered
from profiler.analyse.extrapolated_lines import EXTRAPOLATED, Lines
from profiler.analyse.memory import accounted
from profiler.analyse.metrics import ENERGY_METRICS, OF_WORKERS, PASS_METRICS, Metric
from profiler.analyse.samples import Samples, log_values, log_values_of_workers, of_cases, standing_attempts
from profiler.analyse.statistics import look_level
from profiler.runfile import (
    Case,
    ExtrapolatedCase,
    Extrapolation,
    Header,
    Run,
    Worker,
    Workload,
    extrapolated_cases,
    own_cases,
    shape_cases,
)

_NOTHING = Samples(passes={}, workers={}, left_out={}, kept_although_disturbed=False)
"""What was measured of a model that is never loaded."""


class Study:
    """A run, the workers of each case, and those of their passes that count.

    `level` is that of every single interval: it allows for looking at the run at each checkpoint. `cases` are all rows
    by id; those that are extrapolated have neither workers nor passes, and `shapes` are the ids of those they rest on.
    """

    def __init__(self, run: Run) -> None:
        self.run, self.plan = run, run.header.plan
        self.looks = 1 if self.plan.rounds is not None else len(self.plan.checkpoints)
        self.level = look_level(self.looks)
        self.extrapolated: dict[str, tuple[Extrapolation, ExtrapolatedCase]] = {
            found.case.id: (whole, found) for whole in self.plan.extrapolations for found in whole.cases
        }
        self.shapes = shape_cases(self.plan)
        self.cases = {case.id: case for case in [*extrapolated_cases(self.plan), *self.plan.cases]}
        full = [whole.full for whole in self.plan.extrapolations]
        self.builds = {build.id: build for build in [*self.plan.builds, *full]}
        self.workers: dict[str, list[Worker]] = {case.id: [] for case in self.plan.cases}
        for worker in run.workers:
            self.workers[worker.case].append(worker)
        self.workers = {case: accounted(mine) for case, mine in self.workers.items()}
        standing, self.cores = standing_attempts(run.workers), cores(run.header)
        self.samples = of_cases(self.workers, standing, self.cores)
        self.samples |= dict.fromkeys(self.extrapolated, _NOTHING)
        self.workers |= {id: [] for id in self.extrapolated}
        self._logs: dict[tuple[str, str], dict[int, float]] = {}
        self._lines: dict[tuple[str, str], Lines] = {}

    def logs(self, metric: Metric, case: Case) -> dict[int, float]:
        """The log of one value for each round of this case; computed once."""
        key = (metric.name, case.id)
        if key not in self._logs:
            self._logs[key] = self._computed(metric, case)
        return self._logs[key]

    def lines(self, metric: Metric, case: Case) -> Lines:
        """The line over layers of an extrapolated case, round by round; computed once."""
        key = (metric.name, case.id)
        if key not in self._lines:
            whole, _ = self.extrapolated[case.id]
            sign = -1 if extrapolated_lines.inverse(metric) else 1
            logs = [self.logs(metric, shape) for shape in self.shapes_of(case)]
            times = [{number: math.exp(sign * log) for number, log in of.items()} for of in logs]
            layers = [shape.layers for shape in whole.shapes]
            allowed = self.allowance(metric, case)
            self._lines[key] = extrapolated_lines.lines(layers, whole.layers, times, allowed)
        return self._lines[key]

    def allowance(self, metric: Metric, case: Case) -> float:
        """What a figure of an extrapolated case may be wrong by beyond its noise, as a share of it."""
        whole, _ = self.extrapolated[case.id]
        return extrapolated_lines.allowance(metric, fewer_experts=whole.experts is not None)

    def shapes_of(self, case: Case) -> list[Case]:
        """The cases that an extrapolated one follows from, the fewest layers first; none of a measured one."""
        return (
            [self.cases[id] for id in self.extrapolated[case.id][1].shapes]
            if case.id in self.extrapolated
            else []
        )

    def error(self, metric: Metric, case: Case) -> float:
        """What the log of a figure may be wrong by beyond its noise: nothing where it was measured."""
        return self.lines(metric, case).error if case.id in self.extrapolated else 0.0

    def _computed(self, metric: Metric, case: Case) -> dict[int, float]:
        if case.id in self.extrapolated:
            known = metric.name in EXTRAPOLATED
            return extrapolated_lines.log_values(metric, self.lines(metric, case)) if known else {}
        found = self.samples[case.id]
        if metric in PASS_METRICS:
            return log_values(PASS_METRICS[metric], case, found)
        if metric in ENERGY_METRICS:
            return energy.log_values(metric, case, found, self.energy[case.id])
        return log_values_of_workers(OF_WORKERS[metric], found)

    @cached_property
    def energy(self) -> dict[str, Metered | None]:
        """What was metered of each case, by its id; nothing of an extrapolated one. Computed once."""
        return energy.of_cases(self.run, self.samples) | dict.fromkeys(self.extrapolated)

    def given_up(self, case: Case) -> bool:
        """Whether a case failed for good while the run went on without it, or one of its shapes did."""
        if case.id in self.extrapolated:
            return any(map(self.given_up, self.shapes_of(case)))
        mine = self.workers[case.id]
        if not mine or mine[-1].failure is None:
            return False
        return mine[-1].round < max(worker.round for worker in self.run.workers)

    def own(self) -> list[Case]:
        """The cases that the run is about: all but its anchors and shapes."""
        return own_cases(self.plan)

    def measured(self) -> list[Case]:
        """The cases that have figures, anchors and shapes apart."""
        return [case for case in self.own() if self.has_figures(case)]

    def has_figures(self, case: Case) -> bool:
        """Whether any pass of this case counts; of an extrapolated one, whether any round has all its shapes."""
        if case.id not in self.extrapolated:
            return bool(self.samples[case.id].passes)
        counted = [set(self.samples[shape.id].passes) for shape in self.shapes_of(case)]
        return bool(set.intersection(*counted))

    def groups(self) -> list[list[Case]]:
        """The measured cases, those asked the same together."""
        groups: dict[Workload, list[Case]] = {}
        for case in self.measured():
            groups.setdefault(case.workload, []).append(case)
        return list(groups.values())


def cores(header: Header) -> int:
    """The cores of the machine a run was made on: what the kernel's busy time is counted over."""
    total = said.number(header.environment, "cpus_total") or header.device.cores or 1
    return max(1, int(total))
