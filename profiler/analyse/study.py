"""A run with the samples of each case: what every part of a report starts from."""

from __future__ import annotations

from profiler.analyse import said
from profiler.analyse.metrics import PASS_METRICS, Metric
from profiler.analyse.samples import log_values, samples, standing_attempts
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
        standing, self.cores = standing_attempts(run.workers), cores(run.header)
        self.samples = {name: samples(mine, standing, self.cores) for name, mine in self.workers.items()}
        self._logs: dict[tuple[str, str], dict[int, float]] = {}

    def logs(self, metric: Metric, case: Case) -> dict[int, float]:
        """The log of one value for each round of this case; computed once."""
        key = (metric.name, case.id)
        if key not in self._logs:
            self._logs[key] = log_values(PASS_METRICS[metric], case, self.samples[case.id])
        return self._logs[key]

    def measured(self) -> list[Case]:
        """The cases that have figures."""
        return [case for case in self.plan.cases if self.samples[case.id].passes]

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
