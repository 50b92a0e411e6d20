"""Which row is compared with which, inside one run and across two."""

from __future__ import annotations

from collections.abc import Sequence

from profiler.analyse.comparison import comparable
from profiler.analyse.plural import plural
from profiler.analyse.study import Study
from profiler.errors import UserError, nearest
from profiler.runfile import Case, Workload

Pair = tuple[Case, Case]

MOST_NAMED = 8
"""A sentence names no more rows than this."""


def inside(study: Study, base: str | None, candidate: str | None) -> list[Pair]:
    """The pairs of one run: every row asked the same against the base, which is the first of them unless named.

    Rows without figures are paired too: a failure is a result. Raises `UserError` where there is no pair.
    """
    own = study.own()
    if base is None and candidate is None:
        pairs = [(group[0], case) for group in _groups(own) for case in group[1:]]
    elif base is None:
        other = row(study, candidate or "")
        pairs = [(case, other) for case in own if comparable(case, other) and case.id != other.id][:1]
    else:
        first = row(study, base)
        alike = [case for case in own if comparable(case, first)]
        others = alike if candidate is None else [row(study, candidate)]
        pairs = [(first, case) for case in others if case.id != first.id]
    if not pairs:
        raise UserError(
            "this run has no two rows to compare: name the file of another run as well, or two of its rows"
        )
    return pairs


def between(
    base: Study, candidate: Study, base_row: str | None, candidate_row: str | None
) -> tuple[list[Pair], list[str]]:
    """The pairs of two runs, and what found no partner, in sentences.

    Two rows that are both named are a pair. Else rows belong together that were asked the same of the same build,
    engine, target and settings; and the only row of a workload belongs to the only one of the other run.
    """
    ours = [row(base, base_row)] if base_row is not None else base.own()
    theirs = [row(candidate, candidate_row)] if candidate_row is not None else candidate.own()
    if base_row is not None and candidate_row is not None:
        return [(ours[0], theirs[0])], []
    partner = _partners(base, ours, candidate, theirs)
    taken = {case.id for case in partner.values()}
    left = [case for case in ours if case.id not in partner]
    over = [case for case in theirs if case.id not in taken]
    told = [*_left_over("base", left), *_left_over("candidate", over)]
    return [(case, partner[case.id]) for case in ours if case.id in partner], told


def row(study: Study, id: str) -> Case:
    """The row of this id. Raises `UserError` for one that the run does not have."""
    known = study.cases
    if id not in known:
        raise UserError(f"there is no row {id!r} in this run: {nearest(id, known)}")
    return known[id]


def _partners(base: Study, ours: Sequence[Case], candidate: Study, theirs: Sequence[Case]) -> dict[str, Case]:
    """By the id of a base row its partner."""
    same: dict[object, list[Case]] = {}
    for case in theirs:
        same.setdefault(_made_of(candidate, case), []).append(case)
    found = {}
    for case in ours:
        alike = same.get(_made_of(base, case))
        if alike:
            found[case.id] = alike.pop(0)
    alone = {group[0].workload: group[0] for group in _groups(theirs) if len(group) == 1}
    for group in _groups(ours):
        if len(group) == 1 and group[0].workload in alone:
            found[group[0].id] = alone[group[0].workload]
    return found


def _made_of(study: Study, case: Case) -> object:
    settings = frozenset(case.settings.items())
    return case.workload, study.builds[case.build].name, case.engine, case.target, settings


def _groups(cases: Sequence[Case]) -> list[list[Case]]:
    """Those asked the same together."""
    groups: dict[Workload, list[Case]] = {}
    for case in cases:
        groups.setdefault(case.workload, []).append(case)
    return list(groups.values())


def _left_over(side: str, cases: Sequence[Case]) -> list[str]:
    if not cases:
        return []
    ids = [case.id for case in cases]
    named = ", ".join(ids) if len(ids) <= MOST_NAMED else f"{', '.join(ids[:MOST_NAMED])} and more"
    return [
        f"{plural(len(ids), 'row')} of the {side} found no partner asked the same of the same build, engine and "
        f"settings ({named}): name the two rows to compare, as in BASE#r1 CANDIDATE#r2"
    ]
