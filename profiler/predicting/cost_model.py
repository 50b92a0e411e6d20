"""From the terms of a call to its duration on a calibrated machine, and how far that may be off."""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import fmean, median

from profiler.predicting.calibration import Calibration, Costs
from profiler.predicting.terms import LONGEST_KEY

LIKE = {"F32": "F16", "BF16": "F16"}
"""A storage type that was not timed costs per unit what this one costs; routers alone are F32 in usual files."""
AS_CLASS = {
    "route": "read",
    "route_large": "read",
    "experts": "read",
    "attend": "read",
    "attend_short": "attend",
    "fetch": "read",
    "attend_prompt": "multiply",
    "values": "multiply",
    "ends": "multiply",
}
"""Where a class of terms was not timed with a number of threads, its threads help as much as they help this class."""

DECODE_ERROR, PROMPT_ERROR = 0.10, 0.15
"""Standard deviations of log(predicted / measured), on sixteen shapes (docs/prediction.md)."""
LEVEL = 0.9
WITHIN = 1.645
"""Standard deviations on each side that hold `LEVEL` of a normal distribution."""


def seconds_by_term(found: Calibration, threads: int, terms: Mapping[str, float]) -> dict[str, float] | str:
    """What each term takes with so many threads, in seconds; or the reason why that is not known."""
    by_threads = {one.threads: one for one in found.costs}
    if threads not in by_threads:
        known = ", ".join(map(str, sorted(by_threads)))
        return f"{threads} threads were not calibrated; calibrated: {known}"
    costs = _filled(by_threads[threads], by_threads[found.usual])
    told: dict[str, float] = {}
    for name, amount in terms.items():
        cost = _cost(costs, name)
        if cost is None and amount:
            return _unknown(name)
        told[name] = amount * (cost or 0)
    return told


def _filled(own: Costs, usual: Costs) -> Mapping[str, float]:
    """The costs with these threads; those that were timed with the usual number alone, in proportion to their like."""
    missing = usual.seconds.keys() - own.seconds.keys()
    return dict(own.seconds) | {name: usual.seconds[name] * _proportion(own, usual, name) for name in missing}


def _proportion(own: Costs, usual: Costs, name: str) -> float:
    kind = name.partition(":")[0]
    for wanted in (kind, AS_CLASS.get(kind, kind)):
        both = [
            own.seconds[one] / usual.seconds[one]
            for one in own.seconds
            if one.partition(":")[0] == wanted and usual.seconds.get(one)
        ]
        if both:
            return median(both)
    return 1.0


def _cost(costs: Mapping[str, float], name: str) -> float | None:
    if name in costs:
        return costs[name]
    what, _, kind = name.partition(":")
    if kind in LIKE and f"{what}:{LIKE[kind]}" in costs:
        return costs[f"{what}:{LIKE[kind]}"]
    return _routed(costs, what, kind) if what.startswith("route") else None


def _routed(costs: Mapping[str, float], what: str, kind: str) -> float | None:
    """Experts in a type that was timed in plain matrices alone, in proportion to those that were timed in both."""
    both = [
        costs[name] / costs[f"read:{one}"]
        for name, one in ((name, name.partition(":")[2]) for name in costs if name.startswith(f"{what}:"))
        if costs.get(f"read:{one}")
    ]
    read = costs.get(f"read:{kind}")
    return None if read is None or not both else read * median(both)


def _unknown(name: str) -> str:
    what, _, kind = name.partition(":")
    if what.startswith("attend"):
        kv, flash, *far = kind.split(":")
        if far:
            return f"attention over keys of {far[0]} elements, more than {LONGEST_KEY}, was not calibrated"
        return f"a KV cache of {kv} with flash attention {flash} was not calibrated"
    return f"weights in {kind} were not calibrated" if kind else f"{what} was not calibrated"


def errors(found: Calibration, *, prompt: bool) -> list[float]:
    """predicted / measured - 1 of the samples that were not fitted: prompts, or single tokens."""
    told = []
    for one in found.samples:
        parts = seconds_by_term(found, one.threads, one.terms)
        if not one.fitted and bool(one.prompt) == prompt and not isinstance(parts, str):
            told.append(sum(parts.values()) / one.seconds - 1)
    return told


def spread(found: Calibration, *, prompt: bool) -> float:
    """The standard deviation of log(predicted / measured): as other models showed, and as this calibration's own
    model for checking and the drift of the machine do."""
    checked = errors(found, prompt=prompt)
    seen = fmean([error**2 for error in checked]) if checked else 0.0
    drift = math.log(found.drift) if found.drift else 0.0
    return math.sqrt((PROMPT_ERROR if prompt else DECODE_ERROR) ** 2 + seen + drift**2)
