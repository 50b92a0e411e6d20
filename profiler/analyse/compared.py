"""A comparison as a value: everything that its renderers show, and nothing that they have to compute."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from profiler import __version__
from profiler.analyse import coherent
from profiler.analyse.across import SESSION_SD, common_anchor, compare_runs
from profiler.analyse.comparison import Comparison, Terms, comparable, compare, differs, not_comparable
from profiler.analyse.contrasts import terms
from profiler.analyse.differences import differences, same_device
from profiler.analyse.gate import Condition, Outcome, Result, metric_of, outcome, overall
from profiler.analyse.metrics import METRICS, Metric, judged_metrics
from profiler.analyse.notices import row_notices
from profiler.analyse.pairing import between, inside
from profiler.analyse.statistics import interval
from profiler.analyse.study import Study
from profiler.analyse.verdict import Verdict
from profiler.errors import UserError
from profiler.runfile import Case, Failure, Run

SCHEMA = "edgeprof.compare/1"

Design = Literal["paired", "anchored", "unanchored"]
"""Pairs inside rounds of one run; two runs with an anchor in common; two runs without."""

TOLD = ("some_failed", "disturbed", "disagrees")
"""Notices of a row without which a comparison of it would be misread."""

NO_ANCHOR = (
    "the rows are of two runs without an anchor in common, so what the machine did between them is not known: "
    f"intervals of speeds are widened by the {100 * SESSION_SD:g}% by which one build moves from session to session; "
    "measure both in one run, or each with the same --anchor BUILD"
)
OTHER_DEVICE = (
    "the runs are of different devices: an anchor cancels what one machine did, not what another one is"
)


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One of the runs. `stopped` is None where it did not reach its planned stop."""

    file: str
    run_id: str
    edgeprof: str
    device: str
    rounds: int
    stopped: str | None


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """What stands on both sides of a ratio, as a report of either run shows it (of memory the typical worker)."""

    base: float
    candidate: float
    unit: str
    label: str


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """Two rows: what they are, what differs, every comparison, or the failure of one."""

    base: str
    candidate: str
    base_build: str
    candidate_build: str
    workload: str
    method: str
    design: Design
    base_failure: Failure | None
    candidate_failure: Failure | None
    differs: list[str]
    comparisons: list[Comparison]
    values: dict[str, Value]
    notices: list[str]


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """Two rows or more against each other. `result` is that of all conditions together, None without any."""

    schema: str
    edgeprof: str
    base: Side
    candidate: Side
    pairs: list[Pair]
    unmatched: list[str]
    conditions: list[Outcome]
    result: Result | None
    notes: list[str]


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """Two rows that belong together, each with its run, and the anchors that tie their runs."""

    base: tuple[Study, Case]
    candidate: tuple[Study, Case]
    anchors: tuple[Case, Case] | None = None

    @property
    def paired(self) -> bool:
        """Whether both are rows of one run, so that pairs are formed inside its rounds."""
        return self.base[0] is self.candidate[0]

    @property
    def alike(self) -> bool:
        """Whether both were asked the same."""
        return comparable(self.base[1], self.candidate[1])

    def logs(self, metric: Metric) -> tuple[dict[int, float], dict[int, float]]:
        """The log of one value for each process, on either side."""
        (ours, case), (theirs, other) = self.base, self.candidate
        return ours.logs(metric, case), theirs.logs(metric, other)

    def differs(self) -> list[str]:
        """What is not the same, in words."""
        if self.paired:
            return differs(self.base[1], self.candidate[1], self.base[0].builds)
        return differences(self.base, self.candidate)


def compare_files(
    base: Run,
    candidate: Run | None = None,
    *,
    rows: tuple[str | None, str | None] = (None, None),
    conditions: Sequence[Condition] = (),
    files: tuple[str, str] = ("base", "candidate"),
) -> Compared:
    """Rows of one run, or of two, against each other.

    `rows` are the rows of base and candidate by id, None for all; `files` what the runs are called. Raises `UserError`
    for a row that there is not, a run of one row, and a run file whose lines contradict each other.
    """
    ours = _study(base)
    theirs = ours if candidate is None else _study(candidate)
    matches, unmatched = _matches(ours, theirs, rows)
    if not matches and not conditions:
        raise UserError("; ".join(unmatched))
    judged = [_metrics(match, conditions) for match in matches]
    agreed = terms([ours, theirs], sum(map(len, judged)))
    pairs = [_pair(match, metrics, agreed) for match, metrics in zip(matches, judged, strict=True)]
    outcomes = [o for pair in pairs for asked in conditions for o in _outcomes(asked, pair, agreed)]
    outcomes += _missing(conditions, outcomes)
    return Compared(
        schema=SCHEMA,
        edgeprof=__version__,
        base=_side(ours, files[0]),
        candidate=_side(theirs, files[1]),
        pairs=pairs,
        unmatched=unmatched,
        conditions=outcomes,
        result=overall(outcomes) if conditions else None,
        notes=_notes(matches),
    )


def _study(run: Run) -> Study:
    coherent.check(run)
    return Study(run)


def _matches(
    ours: Study, theirs: Study, rows: tuple[str | None, str | None]
) -> tuple[list[Match], list[str]]:
    found, unmatched = (inside(ours, *rows), []) if ours is theirs else between(ours, theirs, *rows)
    matches = [
        Match(
            base=(ours, base),
            candidate=(theirs, other),
            anchors=None if ours is theirs else common_anchor(ours, theirs, base.workload),
        )
        for base, other in found
    ]
    return matches, unmatched


def _metrics(match: Match, conditions: Sequence[Condition]) -> list[Metric]:
    """The headline metrics and those that conditions name, where both rows have values of them."""
    if not match.alike:
        return []
    method = match.base[1].workload.method
    named = [metric_of(asked) for asked in conditions]
    wanted = dict.fromkeys([*judged_metrics(method), *(m for m in named if method in m.methods)])
    return [metric for metric in wanted if all(match.logs(metric))]


def _pair(match: Match, metrics: Iterable[Metric], agreed: Terms) -> Pair:
    (ours, case), (theirs, other) = match.base, match.candidate
    told = match.differs()
    comparisons = [_comparison(match, metric, agreed, told) for metric in metrics]
    if not match.alike:
        comparisons = [not_comparable(case, other, ours.builds | {other.build: theirs.builds[other.build]})]
    return Pair(
        base=case.id,
        candidate=other.id,
        base_build=case.build,
        candidate_build=other.build,
        workload=case.workload.id,
        method=case.workload.method,
        design="paired" if match.paired else "anchored" if match.anchors else "unanchored",
        base_failure=_failure(match.base),
        candidate_failure=_failure(match.candidate),
        differs=told,
        comparisons=comparisons,
        values={c.metric: _value(match, METRICS[c.metric]) for c in comparisons if c.metric},
        notices=[*_row_notices(match.base), *_row_notices(match.candidate)],
    )


def _comparison(match: Match, metric: Metric, agreed: Terms, told: list[str]) -> Comparison:
    if match.paired:
        (study, case), (_, other) = match.base, match.candidate
        ours, theirs = match.logs(metric)
        return compare(metric, (case, ours), (other, theirs), study.builds, agreed)
    return compare_runs(metric, match.base, match.candidate, match.anchors, agreed, told)


def _value(match: Match, metric: Metric) -> Value:
    sides = zip((match.base, match.candidate), match.logs(metric), strict=True)
    ours, theirs = (_centre(list(logs.values()), study.level) for (study, _), logs in sides)
    return Value(base=ours, candidate=theirs, unit=metric.unit, label=metric.label)


def _centre(logs: Sequence[float], level: float) -> float:
    bounds = interval(logs, level)
    return math.exp(min(700.0, bounds.centre if bounds else logs[0]))


def _failure(row: tuple[Study, Case]) -> Failure | None:
    """The last failure of a row without figures."""
    study, case = row
    if study.has_figures(case):
        return None
    failures = [worker.failure for worker in study.workers[case.id] if worker.failure is not None]
    return failures[-1] if failures else None


def _row_notices(row: tuple[Study, Case]) -> list[str]:
    study, case = row
    if not study.has_figures(case):
        return []
    found = row_notices(study, case)
    return [f"{case.id}: {notice.seen}; {notice.advice}" for notice in found if notice.code in TOLD]


def _outcomes(asked: Condition, pair: Pair, agreed: Terms) -> list[Outcome]:
    """A condition on a pair: on its comparison, or on the failure that stands in its place."""
    found = next((c for c in pair.comparisons if c.metric == asked.metric), None)
    if found is not None:
        return [outcome(asked, found, agreed)]
    if pair.comparisons and pair.comparisons[0].verdict is Verdict.NOT_COMPARABLE:
        return [_bare(asked, pair, Result.UNDECIDED, "the rows were asked different things")]
    if pair.comparisons and pair.method not in metric_of(asked).methods:
        return []
    return [_bare(asked, pair, *_without(pair, agreed))]


def _without(pair: Pair, agreed: Terms) -> tuple[Result, str]:
    """What a pair without the comparison comes to: the candidate failed alone, or there is nothing to judge."""
    if pair.base_failure is None and pair.candidate_failure is not None:
        result = Result.FAILED if agreed.at_planned_stop else Result.UNDECIDED
        return result, f"{pair.candidate} failed to measure: {_words(pair.candidate_failure)}"
    if pair.base_failure is not None:
        return Result.UNDECIDED, f"{pair.base}, the base, failed to measure: {_words(pair.base_failure)}"
    return Result.UNDECIDED, "this metric was not measured in both rows"


def _words(failure: Failure) -> str:
    return f"{failure.kind.replace('_', ' ')}: {failure.message}"


def _bare(asked: Condition, pair: Pair, result: Result, seen: str) -> Outcome:
    return Outcome(condition=asked.text, base=pair.base, candidate=pair.candidate, result=result, seen=seen)


def _missing(conditions: Sequence[Condition], outcomes: Sequence[Outcome]) -> list[Outcome]:
    """A condition that no pair was judged by is not passed."""
    judged = {found.condition for found in outcomes}
    return [
        Outcome(
            condition=asked.text,
            base="",
            candidate="",
            result=Result.UNDECIDED,
            seen="no two rows have this metric",
        )
        for asked in conditions
        if asked.text not in judged
    ]


def _side(study: Study, file: str) -> Side:
    header, ended = study.run.header, study.run.ended
    return Side(
        file=file,
        run_id=header.run_id,
        edgeprof=header.edgeprof,
        device=header.device.cpu or header.device.name,
        rounds=len({worker.round for worker in study.run.workers if worker.passes}),
        stopped=ended.reason or "ended" if ended else None,
    )


def _notes(matches: Sequence[Match]) -> list[str]:
    across = [match for match in matches if not match.paired and match.alike]
    notes = [NO_ANCHOR] if any(match.anchors is None for match in across) else []
    if across and not same_device(across[0].base[0], across[0].candidate[0]):
        notes.append(OTHER_DEVICE)
    return notes
