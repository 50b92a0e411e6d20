"""The energy of a run's cases: which sensor speaks for each, what its passes took, and what the machine takes idle.

Only windows of passes that count enter a figure. Power of a whole pass is never divided by a decode speed: prompt and
generation take different power. See docs/method.md, "Energy".
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import median

import msgspec

from profiler.analyse.energy_series import Series, series
from profiler.analyse.metrics import ENERGY_METRICS, Metric, energy_value
from profiler.analyse.plural import plural
from profiler.analyse.power_log import LOG, in_order, on_stamps
from profiler.analyse.samples import Samples
from profiler.analyse.sensors import Group, groups
from profiler.analyse.spent import GENERATION, PROMPT, Spent, use, window
from profiler.runfile import Case, Header, Idle, Pass, Run, Worker
from profiler.runfile import Samples as Readings

FEWEST_UPDATES = 10
"""Of a sensor within the windows of a case, or the idle times: fewer say nothing."""

IDLE = ("before", "after")

_MORE = {
    GENERATION: "ask for a longer answer (-n) or more passes (--passes)",
    PROMPT: "ask for a longer prompt (-p) or more passes (--passes)",
}


class Metered(msgspec.Struct, frozen=True, kw_only=True):
    """What one group of sensors told of a case: by round, and of the idle times "before" and "after" in watts.

    `interval_s` is the usual time between two readings that were news, `share` of one core what reading took.
    """

    group: Group
    spent: dict[int, Spent]
    idle_w: dict[str, float]
    idle_updates: int
    interval_s: float | None
    share: float | None

    def updates(self, kind: str) -> int:
        """How often the sensor told something new in the windows of this kind."""
        return sum(spent.of(kind).updates for spent in self.spent.values())


def of_cases(run: Run, samples: Mapping[str, Samples]) -> dict[str, Metered | None]:
    """What was metered of each case; None where no sensor that may speak for it was read.

    The widest sensor speaks that was read often enough for one case at least, so that the rows of a run are comparable.
    """
    alike: dict[tuple[tuple[str, str], ...], list[Case]] = {}
    asked: dict[tuple[tuple[str, str], ...], list[Group]] = {}
    for case in run.header.plan.cases:
        order = groups(run.header.sensors, run.power_log, case)
        key = tuple((group.source, group.scope) for group in order)
        alike.setdefault(key, []).append(case)
        asked[key] = order
    found: dict[str, Metered | None] = {}
    for key, cases in alike.items():
        found |= _chosen(run, cases, samples, asked[key])
    return found


def _chosen(
    run: Run, cases: Sequence[Case], samples: Mapping[str, Samples], order: Sequence[Group]
) -> dict[str, Metered | None]:
    best: dict[str, Metered | None] = dict.fromkeys((case.id for case in cases), None)
    lines = in_order(run.power_log) if run.power_log else []
    for group in order:
        told = {case.id: _metered(run, case, samples[case.id], group, lines) for case in cases}
        if any(one.updates(kind) >= FEWEST_UPDATES for one in told.values() for kind in (PROMPT, GENERATION)):
            return dict(told)
        if not any(best.values()) and any(one.interval_s for one in told.values()):
            best = dict(told)
    return best


def _metered(run: Run, case: Case, found: Samples, group: Group, lines: list[tuple[int, float]]) -> Metered:
    read = {number: _taken(group, worker, lines) for number, worker in found.workers.items()}
    idle = {when: told for when in IDLE if (told := _idle(run, when, group, lines)) is not None}
    usual = [s.interval_s for several in read.values() for s in several if s.interval_s is not None]
    shares = [w.metering_share for w in found.workers.values() if w.metering_share is not None]
    return Metered(
        group=group,
        spent={number: _spent(passes, case, read[number]) for number, passes in found.passes.items()},
        idle_w={when: watts for when, (watts, _) in idle.items()},
        idle_updates=sum(updates for _, updates in idle.values()),
        interval_s=median(usual) if usual else None,
        share=max(shares) if shares and group.source != LOG else None,
    )


def _idle(run: Run, when: str, group: Group, lines: list[tuple[int, float]]) -> tuple[float, int] | None:
    """Watts and updates; of several idle times, as a run that went on has them, those of the last that was read."""
    for one in reversed(run.idle):
        several = _taken(group, one, lines) if one.when == when else []
        watts = _mean_w(several)
        if watts is not None:
            return watts, min(len(s.news_ns) for s in several)
    return None


def _taken(group: Group, during: Worker | Idle, lines: list[tuple[int, float]]) -> list[Series]:
    """The readings of each sensor of a group during a worker or an idle time.

    Lines of a log beside an idle time are of what was at work then; those beside a worker complete its windows.
    """
    if group.source != LOG:
        return [series(sensor, during.meters.get(sensor.id, Readings())) for sensor in group.sensors]
    if during.started is None or during.ended is None:
        return [series(sensor, Readings()) for sensor in group.sensors]
    joined = on_stamps(lines, during.started, during.ended, beside=0 if isinstance(during, Idle) else 1)
    return [series(sensor, joined) for sensor in group.sensors]


def _spent(passes: Sequence[Pass], case: Case, sensors: Sequence[Series]) -> Spent:
    windows = {
        kind: [one for done in passes if (one := window(done, case.workload, kind)) is not None]
        for kind in (PROMPT, GENERATION)
    }
    return Spent(prompt=use(windows[PROMPT], sensors), generation=use(windows[GENERATION], sensors))


def _mean_w(sensors: Sequence[Series]) -> float | None:
    """Mean power over all readings of sensors that add up."""
    told = [s.joules[-1] / _length_s(s) for s in sensors if len(s.at_ns) > 1 and not s.unknown[-1]]
    return sum(told) if told and len(told) == len(sensors) else None


def _length_s(one: Series) -> float:
    return (one.at_ns[-1] - one.at_ns[0]) / 1e9


def log_values(metric: Metric, case: Case, found: Samples, metered: Metered | None) -> dict[int, float]:
    """For each round the log of its worker's figure; none where the figure is refused."""
    if metered is None or refusal(metric, case, found, metered):
        return {}
    values = {number: energy_value(metric, spent) for number, spent in metered.spent.items()}
    return {number: math.log(value) for number, value in values.items() if value is not None and value > 0}


def refusal(metric: Metric, case: Case, found: Samples, metered: Metered) -> str | None:
    """Why these readings give no figure; None where they do."""
    kind, _ = ENERGY_METRICS[metric]
    passes = [done for several in found.passes.values() for done in several]
    if not any(window(done, case.workload, kind) for done in passes):
        return metric.absent
    group, known = metered.group, [spent.of(kind) for spent in metered.spent.values()]
    if not any(one.joules for one in known):
        return f"the readings of {group.name} do not cover the {kind} windows"
    updates = metered.updates(kind)
    if updates < FEWEST_UPDATES:
        return (
            f"{group.name} had only {plural(updates, 'update')} within the {kind} windows, and a figure takes "
            f"{FEWEST_UPDATES}: {_MORE[kind]}, or use a sensor that tells more often"
        )
    return (
        None if any(sum(one.joules.values()) > 0 for one in known) else f"{group.name} read nothing above 0"
    )


UNREAD = "no sensor that covers this row has readings of it"
"""How the reason begins where there is a sensor."""


def nothing_metered(header: Header, log: bool) -> str:
    """Why no sensor speaks for a row."""
    if header.sensors or log:
        names = ", ".join(dict.fromkeys(f"{s.source} ({s.scope})" for s in header.sensors))
        return f"{UNREAD}: {names or 'only the power log was given'}"
    reasons = "; ".join(
        why if why.startswith(f"{source}: ") else f"{source}: {why}"
        for source, why in header.no_sensor.items()
    )
    return f"no sensor of power or energy is readable: {reasons}" if reasons else "no sensor was looked for"
