"""Ratios of cases, from pairs formed inside rounds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec
from msgspec.structs import replace

from profiler.analyse.metrics import Metric
from profiler.analyse.rounds_needed import Need, rounds_needed, spread
from profiler.analyse.statistics import FEWEST_FOR_SIGNED_RANK, Interval, interval
from profiler.analyse.verdict import Verdict, judge
from profiler.runfile import Build, Case, Settings, Workload

Logs = Mapping[int, float]

UNFINISHED = "the run did not reach its planned stop"
ALLOWED_FOR = (
    "its interval allows for what extrapolated figures may be wrong by, which no number of rounds makes less"
)
NO_ROUNDS_HELP = "rounds do not help runs that have no anchor in common; measure both in one run"


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Candidate over base on one metric. `low` and `high` hold at 95% over all comparisons and looks.

    `metric` is None where the two are not comparable at all. `spread` is the standard deviation of one round's log
    ratio in a run of both, None where it is not known. Where the verdict is undecided `rounds_needed` are the rounds at
    which a fresh run would probably decide, or `rounds_reason` says why none are advised.
    """

    metric: str | None
    base: str
    candidate: str
    ratio: float | None
    low: float | None
    high: float | None
    pairs: int
    provisional: bool
    verdict: Verdict
    differs: list[str]
    spread: float | None = None
    rounds_needed: int | None = None
    rounds_reason: str | None = None


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """By what comparisons are judged: the corrected level, that of a fresh run with one look, and whether it ended."""

    level: float
    fresh_level: float
    at_planned_stop: bool


def comparable(base: Case, candidate: Case) -> bool:
    """Whether two cases were asked the same: workload and version, text, lengths, depth."""
    return base.workload == candidate.workload


def differs(base: Case, candidate: Case, builds: Mapping[str, Build]) -> list[str]:
    """What is not the same between two comparable cases, in words."""
    return [
        *changes(made_of(base, builds), made_of(candidate, builds), absent="not known"),
        *changes(*settings_of(base, candidate), absent="auto"),
    ]


def settings_of(base: Case, candidate: Case) -> tuple[Settings, Settings]:
    """Of two engines only the settings that both have: the others are part of the engines' difference."""
    if base.engine == candidate.engine:
        return base.settings, candidate.settings
    common = base.settings.keys() & candidate.settings.keys()
    return (
        {name: value for name, value in base.settings.items() if name in common},
        {name: value for name, value in candidate.settings.items() if name in common},
    )


def made_of(case: Case, builds: Mapping[str, Build]) -> dict[str, int | str | None]:
    """What a case is made of, in the words of a report."""
    build = builds[case.build]
    return {
        "build": build.id,
        "quantization": build.quantization,
        "parameters": build.parameters,
        "bits read per weight": _rounded(build.bits_read_per_weight),
        "engine": case.engine,
        "KV type": case.settings.get("kv") or build.kv_type,
        "target": case.target,
    }


def _rounded(bits: float | None) -> str | None:
    return None if bits is None else f"{bits:.2f}"


def changes(
    base: Mapping[str, int | str | None], candidate: Mapping[str, int | str | None], absent: str = "none"
) -> list[str]:
    """What stands under each name before and after, where it is not the same."""
    named = {name: (base.get(name), candidate.get(name)) for name in [*base, *candidate]}
    return [
        f"{name}: {_said(before, absent)} -> {_said(after, absent)}"
        for name, (before, after) in named.items()
        if before != after
    ]


def _said(value: int | str | None, absent: str) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return absent if value is None else str(value)


def log_ratios(base: Logs, candidate: Logs) -> list[float]:
    """log(candidate / base) of every round that has both."""
    return [candidate[number] - base[number] for number in base if number in candidate]


def compare(
    metric: Metric,
    base: tuple[Case, Logs],
    candidate: tuple[Case, Logs],
    builds: Mapping[str, Build],
    terms: Terms,
    error: float = 0.0,
) -> Comparison:
    """One comparison, paired inside rounds. `error` is what the log ratio of extrapolated figures may be wrong by."""
    ratios = log_ratios(base[1], candidate[1])
    measured = interval(ratios, terms.level)
    bounds = widened(measured, error)
    found = told(
        metric,
        (base[0], candidate[0]),
        bounds,
        judge(bounds, at_planned_stop=terms.at_planned_stop, higher_is_better=metric.higher_is_better),
        terms,
        alone=ratios[0] if ratios else None,
        pairs=len(ratios),
        spread=spread(measured, len(ratios)) if measured else None,
        differs=differs(base[0], candidate[0], builds),
    )
    return with_allowance(found, error)


def widened(bounds: Interval | None, error: float) -> Interval | None:
    """An interval of logs that holds so much more on either side."""
    return bounds and replace(bounds, low=bounds.low - error, high=bounds.high + error)


def with_allowance(found: Comparison, error: float) -> Comparison:
    """No number of rounds is advised where the interval holds more than the noise of rounds."""
    if not error or found.rounds_needed is None:
        return found
    return replace(found, rounds_needed=None, rounds_reason=ALLOWED_FOR)


def told(
    metric: Metric,
    rows: tuple[Case, Case],
    bounds: Interval | None,
    verdict: Verdict,
    terms: Terms,
    *,
    alone: float | None,
    pairs: int,
    spread: float | None,
    differs: list[str],
) -> Comparison:
    """A comparison from its interval of logs; without one it shows the one log ratio that there is."""
    need = _need(bounds, spread, pairs, terms) if verdict is Verdict.UNDECIDED else Need()
    return Comparison(
        metric=metric.name,
        base=rows[0].id,
        candidate=rows[1].id,
        ratio=_ratio(bounds.centre) if bounds else _ratio(alone) if alone is not None else None,
        low=_ratio(bounds.low) if bounds else None,
        high=_ratio(bounds.high) if bounds else None,
        pairs=pairs,
        provisional=bounds.provisional if bounds else True,
        verdict=verdict,
        differs=differs,
        spread=spread,
        rounds_needed=need.rounds,
        rounds_reason=need.reason,
    )


def _need(bounds: Interval | None, spread: float | None, pairs: int, terms: Terms) -> Need:
    if not terms.at_planned_stop:
        return Need(reason=UNFINISHED)
    if bounds is None:
        return Need(reason="fewer than two rounds have both, so their spread is not known")
    if spread is None:
        return Need(reason=NO_ROUNDS_HELP)
    if pairs < FEWEST_FOR_SIGNED_RANK:
        return Need(reason=f"{pairs} rounds that have both are too few to say how many it would take")
    return rounds_needed(bounds.centre, spread, terms.fresh_level)


def not_comparable(base: Case, candidate: Case, builds: Mapping[str, Build]) -> Comparison:
    """What stands in the place of a ratio between cases that were asked different things."""
    return Comparison(
        metric=None,
        base=base.id,
        candidate=candidate.id,
        ratio=None,
        low=None,
        high=None,
        pairs=0,
        provisional=True,
        verdict=Verdict.NOT_COMPARABLE,
        differs=[
            *changes(asked(base.workload), asked(candidate.workload)),
            *differs(base, candidate, builds),
        ],
    )


def asked(workload: Workload) -> dict[str, int | str | None]:
    """What a workload asks of a model: where all of it is the same, rows compare."""
    return {
        "workload": workload.id,
        "method": workload.method,
        "prompt tokens": workload.prompt_tokens,
        "output tokens": workload.output_tokens,
        "depth": workload.depth,
        "text": workload.text_sha256,
    }


def best(
    metric: Metric, logs: Mapping[str, Logs], level: float, errors: Mapping[str, float] | None = None
) -> str | None:
    """The case that is better than each of the others beyond doubt, or None.

    `level` is already corrected for all comparisons of the run; `errors` are what logs of extrapolated rows may be
    wrong by.
    """
    allowed = errors or {}
    sign = 1 if metric.higher_is_better else -1
    centres = {case: sign * sum(values.values()) / len(values) for case, values in logs.items() if values}
    if len(centres) < 2:
        return None
    leader = max(centres, key=lambda case: centres[case])
    others = (case for case in centres if case != leader)
    leads = (
        _lead(logs[leader], logs[case], sign, level, allowed.get(leader, 0.0) + allowed.get(case, 0.0))
        for case in others
    )
    return leader if all(leads) else None


def _lead(leader: Logs, other: Logs, sign: int, level: float, error: float) -> bool:
    bounds = widened(interval([sign * ratio for ratio in log_ratios(other, leader)], level), error)
    return bounds is not None and not bounds.provisional and bounds.low > 0


def widest(intervals: Sequence[Interval | None]) -> float | None:
    """The largest half-width as a share (0.038 = 3.8%); None if one is missing or there is none."""
    if not intervals or any(bounds is None for bounds in intervals):
        return None
    return math.expm1(min(700, max((b.high - b.low) / 2 for b in intervals if b is not None)))


def resolution(comparisons: Sequence[Comparison]) -> dict[str, float]:
    """For each metric the widest half-width of the ratios as a share: smaller differences cannot be told.

    Only of metrics whose ratios all have an interval that carries a verdict.
    """
    found: dict[str, float] = {}
    blind = {c.metric for c in comparisons if c.provisional or not c.low or c.high is None}
    for item in comparisons:
        if item.metric is not None and item.metric not in blind and item.low and item.high:
            width = math.sqrt(item.high / item.low) - 1
            found[item.metric] = max(width, found.get(item.metric, 0.0))
    return found


def _ratio(log: float) -> float | None:
    return math.exp(log) if log < 700 else None
