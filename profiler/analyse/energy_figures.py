"""What a report says of energy: the cells of a row, and the sensor that they rest on."""

from __future__ import annotations

from statistics import fmean

import msgspec
from msgspec.structs import replace

from profiler.analyse.energy import FEWEST_UPDATES, IDLE, Metered, nothing_metered, refusal
from profiler.analyse.estimate import Estimate, of_logs
from profiler.analyse.metrics import ENERGY_METRICS, IDLE_POWER, Metric
from profiler.analyse.notices import Notice
from profiler.analyse.plural import plural
from profiler.analyse.spent import GENERATION, PROMPT
from profiler.analyse.study import Study
from profiler.runfile import Case

IDLE_MOVED = 0.10
"""How far apart idle before and idle after may be, as a share of the lower one."""


class Energy(msgspec.Struct, frozen=True, kw_only=True):
    """The sensor behind the figures of a row, and how often it told something new in the windows they rest on.

    `scope` is what it covers; figures of different scopes are not comparable. `period_s` is the sensor's own as far as
    it is known, `interval_s` the usual time between two readings, `metering_share` the share of one core that reading
    all sensors took at most.
    """

    sensors: list[str]
    source: str
    scope: str
    note: str | None
    period_s: float | None
    interval_s: float | None
    prompt_updates: int
    generation_updates: int
    idle_before_w: float | None
    idle_after_w: float | None
    metering_share: float | None


def energy_of(study: Study, case: Case) -> Energy | None:
    """The sensor that speaks for this row; None where nothing was metered."""
    metered = study.energy[case.id]
    if metered is None:
        return None
    sensors = metered.group.sensors
    periods = [sensor.period_s for sensor in sensors if sensor.period_s is not None]
    return Energy(
        sensors=[sensor.name for sensor in sensors],
        source=metered.group.source,
        scope=metered.group.scope,
        note="; ".join(dict.fromkeys(sensor.note for sensor in sensors if sensor.note)) or None,
        period_s=max(periods, default=None),
        interval_s=metered.interval_s,
        prompt_updates=metered.updates(PROMPT),
        generation_updates=metered.updates(GENERATION),
        idle_before_w=metered.idle_w.get("before"),
        idle_after_w=metered.idle_w.get("after"),
        metering_share=metered.share,
    )


def energy_figures(study: Study, case: Case) -> dict[str, Estimate]:
    """Energy and power of a measured case, absent with the reason."""
    metrics = [metric for metric in ENERGY_METRICS if case.workload.method in metric.methods]
    found = {metric.name: _figure(study, case, metric) for metric in metrics}
    return found | {IDLE_POWER.name: _idle(study, study.energy[case.id])}


def _figure(study: Study, case: Case, metric: Metric) -> Estimate:
    metered, samples = study.energy[case.id], study.samples[case.id]
    if metered is None:
        return Estimate(value=None, unit=metric.unit, reason=_no_sensor(study))
    why = refusal(metric, case, samples, metered)
    if why is not None:
        return Estimate(value=None, unit=metric.unit, reason=why)
    logs, kind = study.logs(metric, case), ENERGY_METRICS[metric][0]
    passes = sum(len(metered.spent[number].of(kind).joules) for number in logs)
    return replace(
        of_logs(metric, list(logs.values()), study.level), passes=passes, excluded=samples.excluded
    )


def _idle(study: Study, metered: Metered | None) -> Estimate:
    if metered is None:
        return Estimate(value=None, unit=IDLE_POWER.unit, reason=_no_sensor(study))
    if not metered.idle_w:
        return Estimate(value=None, unit=IDLE_POWER.unit, reason=IDLE_POWER.absent)
    if metered.idle_updates < FEWEST_UPDATES:
        reason = (
            f"{metered.group.name} had only {plural(metered.idle_updates, 'update')} in the idle times, and a figure "
            f"takes {FEWEST_UPDATES}"
        )
        return Estimate(value=None, unit=IDLE_POWER.unit, reason=reason)
    return Estimate(value=fmean(metered.idle_w.values()), unit=IDLE_POWER.unit)


def _no_sensor(study: Study) -> str:
    return nothing_metered(study.run.header, study.run.power_log is not None)


def idle_moved(study: Study, case: Case) -> Notice | None:
    """Told where the machine took clearly more or less power after the run than before it."""
    metered = study.energy[case.id]
    if metered is None or metered.idle_updates < FEWEST_UPDATES:
        return None
    told = [metered.idle_w[when] for when in IDLE if when in metered.idle_w]
    if len(told) < 2 or max(told) <= (1 + IDLE_MOVED) * min(told):
        return None
    return Notice(
        code="idle_moved",
        seen=f"idle power was {told[0]:.3g} W before the run and {told[1]:.3g} W after it",
        advice="something else began or ended meanwhile, or the device is warmer: close other programs and run again",
    )
