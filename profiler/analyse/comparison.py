"""Ratios of cases, from pairs formed inside rounds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec

from profiler.analyse.metrics import Metric
from profiler.analyse.statistics import Interval, interval
from profiler.analyse.verdict import Verdict, judge
from profiler.runfile import Build, Case

Logs = Mapping[int, float]


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Candidate over base on one metric. `low` and `high` hold at 95% over all comparisons and looks."""

    metric: str
    base: str
    candidate: str
    ratio: float | None
    low: float | None
    high: float | None
    pairs: int
    provisional: bool
    verdict: Verdict
    differs: list[str]


def comparable(base: Case, candidate: Case) -> bool:
    """Whether two cases were asked the same: workload and version, text, lengths, depth."""
    return base.workload == candidate.workload


def differs(base: Case, candidate: Case, builds: Mapping[str, Build]) -> list[str]:
    """What is not the same between two comparable cases, in words."""
    found = []
    if base.build != candidate.build:
        found.append(f"build: {base.build} -> {candidate.build}")
        found += _build_differences(builds[base.build], builds[candidate.build])
    for field in ("engine", "target"):
        before, after = getattr(base, field), getattr(candidate, field)
        if before != after:
            found.append(f"{field}: {before} -> {after}")
    for name in dict.fromkeys([*base.settings, *candidate.settings]):
        before, after = base.settings.get(name), candidate.settings.get(name)
        if before != after:
            found.append(f"{name}: {before} -> {after}")
    return found


def _build_differences(base: Build, candidate: Build) -> list[str]:
    found = []
    if base.quantization != candidate.quantization:
        found.append(f"quantization: {base.quantization} -> {candidate.quantization}")
    if base.parameters != candidate.parameters:
        found.append(f"parameters: {base.parameters} -> {candidate.parameters}")
    return found


def log_ratios(base: Logs, candidate: Logs) -> list[float]:
    """log(candidate / base) of every round that has both."""
    return [candidate[number] - base[number] for number in base if number in candidate]


def compare(
    metric: Metric,
    base: tuple[Case, Logs],
    candidate: tuple[Case, Logs],
    builds: Mapping[str, Build],
    *,
    level: float,
    at_planned_stop: bool,
) -> Comparison:
    """One comparison at the (already corrected) level."""
    ratios = log_ratios(base[1], candidate[1])
    bounds = interval(ratios, level)
    verdict = judge(bounds, at_planned_stop=at_planned_stop, higher_is_better=metric.higher_is_better)
    return Comparison(
        metric=metric.name,
        base=base[0].id,
        candidate=candidate[0].id,
        ratio=_ratio(bounds.centre) if bounds else _ratio(ratios[0]) if ratios else None,
        low=_ratio(bounds.low) if bounds else None,
        high=_ratio(bounds.high) if bounds else None,
        pairs=len(ratios),
        provisional=bounds.provisional if bounds else True,
        verdict=verdict,
        differs=differs(base[0], candidate[0], builds),
    )


def not_comparable(base: Case, candidate: Case, builds: Mapping[str, Build]) -> Comparison:
    """What stands in the place of a ratio between cases that were asked different things."""
    return Comparison(
        metric="",
        base=base.id,
        candidate=candidate.id,
        ratio=None,
        low=None,
        high=None,
        pairs=0,
        provisional=True,
        verdict=Verdict.NOT_COMPARABLE,
        differs=[
            f"workload: {_asked(base)} -> {_asked(candidate)}",
            *differs(base, candidate, builds),
        ],
    )


def _asked(case: Case) -> str:
    workload = case.workload
    return f"{workload.id} ({workload.prompt_tokens} in, {workload.output_tokens} out)"


def best(metric: Metric, logs: Mapping[str, Logs], level: float) -> str | None:
    """The case that is better than each of the others beyond doubt, or None.

    `level` is already corrected for as many comparisons as there are other cases.
    """
    sign = 1 if metric.higher_is_better else -1
    centres = {case: sign * sum(values.values()) / len(values) for case, values in logs.items() if values}
    if len(centres) < 2:
        return None
    leader = max(centres, key=lambda case: centres[case])
    others = [_lead(logs[leader], logs[case], sign, level) for case in centres if case != leader]
    return leader if all(others) else None


def _lead(leader: Logs, other: Logs, sign: int, level: float) -> bool:
    bounds = interval([sign * ratio for ratio in log_ratios(other, leader)], level)
    return bounds is not None and not bounds.provisional and bounds.low > 0


def widest(intervals: Sequence[Interval | None]) -> float | None:
    """The largest half-width as a share (0.038 = 3.8%); None if one is missing or there is none."""
    if not intervals or any(bounds is None for bounds in intervals):
        return None
    return math.expm1(min(700, max((b.high - b.low) / 2 for b in intervals if b is not None)))


def _ratio(log: float) -> float | None:
    return math.exp(log) if log < 700 else None
