"""What a model that is never loaded would take, as its engine plans it from a header without data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec.structs import replace

from profiler.measure.gate import inspection
from profiler.measure.request import Shaped
from profiler.runfile import Build, Case, ExtrapolatedCase, Extrapolation, Plan

NOT_TOLD = "the engine does not say"
LONGEST = 1000


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes, or why they are not known."""

    weights_bytes: int | None = None
    kv_bytes: int | None = None
    compute_bytes: int | None = None
    not_planned: str | None = None


def with_full_sizes(plan: Plan, shaped: Sequence[Shaped]) -> Plan:
    """The plan with the memory of each model that is measured as shapes."""
    whole = [_sized(found, model.path) for found, model in zip(plan.extrapolations, shaped, strict=True)]
    return replace(plan, extrapolations=whole)


def _sized(found: Extrapolation, path: Path) -> Extrapolation:
    """Each distinct question is asked once: threads make no difference."""
    answers: dict[bytes, Size] = {}
    cases = []
    for one in found.cases:
        settings = {name: value for name, value in one.case.settings.items() if name != "threads"}
        question = msgspec.json.encode((one.case.engine, settings, one.case.workload))
        if question not in answers:
            answers[question] = _asked(one.case, found.full, path)
        cases.append(_with(one, answers[question]))
    return replace(found, cases=cases)


def _with(one: ExtrapolatedCase, size: Size) -> ExtrapolatedCase:
    return replace(one, **msgspec.structs.asdict(size))


def _asked(case: Case, full: Build, path: Path) -> Size:
    seen = inspection(case, full, path)
    if seen.failure is not None or seen.facts is None:
        return Size(not_planned=seen.failure.message[:LONGEST] if seen.failure else NOT_TOLD)
    known = {name: seen.facts.get(name) for name in ("weights_bytes", "kv_bytes", "compute_bytes")}
    told = {name: value for name, value in known.items() if isinstance(value, int) and value >= 0}
    return Size(**told, not_planned=None if len(told) == len(known) else NOT_TOLD)
