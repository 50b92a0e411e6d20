"""A run with the samples of each case: what every part of a report starts from."""

from __future__ import annotations

from functools import cached_property

from profiler.analyse import energy, said
from profiler.analyse.energy import Metered
from profiler.analyse.memory import accounted
from profiler.analyse.metrics import ENERGY_METRICS, OF_WORKERS, PASS_METRICS, Metric
from profiler.analyse.samples import log_values, log_values_of_workers, of_cases, standing_attempts
from profiler.analyse.statistics import look_level
from profiler.runfile import Case, Header, Run, Worker, Workload


class Study:
    """A run, the workers of each case, and those of their passes that count.

    `level` is that of every single interval: it allows for looking at the run at each checkpoint.
    """

    def __init__(self, run: Run) -> None:
        self.run, self.plan = run, run.header.plan
        self.looks = 1 if self.plan.rounds is not None else len(self.plan.checkpoints)
        self.level = look_level(self.looks)
        self.builds = {build.id: build for build in self.plan.builds}
        self.workers: dict[str, list[Worker]] = {case.id: [] for case in self.plan.cases}
        for worker in run.workers:
            self.workers[worker.case].append(worker)
        self.workers = {case: accounted(mine) for case, mine in self.workers.items()}
        standing, self.cores = standing_attempts(run.workers), cores(run.header)
        self.samples = of_cases(self.workers, standing, self.cores)
        self._logs: dict[tuple[str, str], dict[int, float]] = {}

    def logs(self, metric: Metric, case: Case) -> dict[int, float]:
        """The log of one value for each round of this case; computed once."""
        key = (metric.name, case.id)
        if key not in self._logs:
            self._logs[key] = self._computed(metric, case)
        return self._logs[key]

    def _computed(self, metric: Metric, case: Case) -> dict[int, float]:
        found = self.samples[case.id]
        if metric in PASS_METRICS:
            return log_values(PASS_METRICS[metric], case, found)
        if metric in ENERGY_METRICS:
            return energy.log_values(metric, case, found, self.energy[case.id])
        return log_values_of_workers(OF_WORKERS[metric], found)

    @cached_property
    def energy(self) -> dict[str, Metered | None]:
        """What was metered of each case, by its id; computed once."""
        return energy.of_cases(self.run, self.samples)

    def given_up(self, case: Case) -> bool:
        """Whether a case failed for good while the run went on without it."""
        mine = self.workers[case.id]
        if not mine or mine[-1].failure is None:
            return False
        return mine[-1].round < max(worker.round for worker in self.run.workers)

    def own(self) -> list[Case]:
        """The cases that the run is about: all but its anchors."""
        return [case for case in self.plan.cases if case.id not in self.plan.anchors]

    def measured(self) -> list[Case]:
        """The cases that have figures, anchors apart."""
        return [case for case in self.own() if self.has_figures(case)]

    def has_figures(self, case: Case) -> bool:
        """Whether any pass of this case counts."""
        return bool(self.samples[case.id].passes)

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
