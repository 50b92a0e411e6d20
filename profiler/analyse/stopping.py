"""What a run in progress is asked at its looks: are the intervals narrow enough, is every comparison decided?"""

from __future__ import annotations

from msgspec.structs import replace

from profiler.analyse.comparison import widest
from profiler.analyse.contrasts import comparisons
from profiler.analyse.metrics import judged_metrics
from profiler.analyse.statistics import interval
from profiler.analyse.study import Study
from profiler.analyse.verdict import Verdict
from profiler.runfile import Event, Run


def half_width(run: Run) -> float | None:
    """The widest half-width of the headline intervals of a run, as a share; None while one is missing.

    A metric that a workload does not have, such as the decode speed of one token, has no interval to wait for.
    """
    study = Study(run)
    logs = [study.logs(m, case) for case in study.measured() for m in judged_metrics(case.workload.method)]
    return widest([interval(list(values.values()), study.level) for values in logs if values])


def decided(run: Run) -> bool | None:
    """Whether each comparison of the run, judged as if it ended now, is better, worse or the same; None without any.

    One with a case that was given up is not waited for: no round will add to it.
    """
    ended = Event(name="end", at=run.header.started, reason="decided")
    study = Study(replace(run, events=[ended]))
    gone = {case.id for case in study.plan.cases if study.given_up(case)}
    told = [item for item in comparisons(study, None) if item.metric is not None]
    found = [item for item in told if not gone & {item.base, item.candidate}]
    return all(item.verdict is not Verdict.UNDECIDED for item in found) if found else None
