"""Ship, skip or undecided: rows judged on their intervals by the limits of a use.

A row ships only if every limit is kept, so a false ship is no likelier than one false bound (intersection-union test):
2.5%, as each bound of a 95% interval is wrong on its side. A false skip takes one false bound of several: 2.5% for each
limit that has an interval. Memory is judged on the largest seen, and has no such rate. Rows are not corrected for each
other: each is a question of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from profiler.analyse import deciding, turning
from profiler.analyse.comparison import UNFINISHED
from profiler.analyse.judged import Judged, Word, judge
from profiler.analyse.limit_metrics import Kind, check, kind
from profiler.analyse.limit_uses import limits_of, unmet
from profiler.analyse.notices import Notice
from profiler.analyse.report import Row, failed_as, workload_of
from profiler.analyse.source import Source
from profiler.documents.limits import Limit, Limits
from profiler.runfile import Failure, Settings

__all__ = ["Judged", "Judgement", "Verdicts", "Word", "overall", "verdicts"]

SCHEMA = "edgeprof.verdict/1"

OF_THE_MODEL = ("out_of_memory", "load_failed", "crashed", "fell_back", "wrong_answers")
"""Failures that answer the question: this build does not run here as asked. The others say that nothing was tried."""

NO_SHIP = {
    "some_failed": "find out why it fails, and run it again",
    "fell_back": "name what it fell back to in the run, or run it with --strict",
    "as_if_it_fitted": "measure it on a machine with enough memory",
    "disagrees": "make the build again, and check it by edgeprof build onnx --check",
}
"""Notices that stand against a ship however good the figures are, and what would answer them."""

NO_SHIP_BY_PSS = {"shared_file": "limit peak_rss_bytes, or stop what else has loaded this file and run again"}
"""The same of a ship that rests on PSS, which others may have taken a part of."""

NO_SKIP = {"disturbed": "close what `edgeprof doctor` lists and run again"}
"""Notices of rows that others may have made slow."""

SPEEDS = (Kind.INTERVAL, Kind.FIRST_TOKENS)
"""What a busy machine makes worse."""

MOST_NAMED = 4
"""Rows that ship, in one sentence."""

_INSTEAD = {
    "out_of_memory": "a smaller build, a shorter context or a smaller KV type takes less memory",
    "load_failed": "another build or engine",
    "crashed": "another engine, or a library built for this processor",
    "fell_back": "a build and an engine that the target supports, or a run without --strict",
    "wrong_answers": "another build or provider: what answers otherwise is another model",
    "missing_library": "install the engine, and run it again",
    "bad_file": "fetch or make the file again, and run it",
    "link_lost": "look at its network and its power supply, and go on with --resume",
    "rebooted": "look at its power supply and its cooling, and go on with --resume",
    "timeout": "a run with a longer --stall tells how slow it is",
}


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """One row under the limits that concern it. `turn` says what would turn a skip, or decide what is undecided.

    `source` is the name of the run file, `why` one sentence, `basis` that of the row ("measured", "imported", ...).
    `settings` are those that differ between the rows of its file.
    """

    source: str
    row: str
    device: str
    device_name: str
    build: str
    engine: str
    settings: Settings
    workload: str
    prompt_tokens: int
    output_tokens: int
    word: Word
    judged: list[Judged]
    why: str
    turn: list[str]
    basis: str


class Verdicts(msgspec.Struct, frozen=True, kw_only=True):
    """Every row that a set of limits speaks of. `unmatched` are rows, or uses, that no limit or row met, in words.

    `word` is that of all together: skip if any row is skipped, ship if all ship, else undecided.
    """

    schema: str
    limits: str
    title: str
    question: str
    word: Word
    judgements: list[Judgement]
    unmatched: list[str]


def verdicts(sources: Sequence[Source], limits: Limits) -> Verdicts:
    """Every row of these sources judged by the limits. Raises `UserError` for limits that no row could have."""
    check(limits)
    rows = [row for source in sources for row in _own(source)]
    judgements = [found for source in sources for found in _of_source(source, limits)]
    return Verdicts(
        schema=SCHEMA,
        limits=limits.name,
        title=limits.title,
        question=limits.question,
        word=overall(found.word for found in judgements),
        judgements=judgements,
        unmatched=[*_unasked(rows, limits), *unmet(limits, rows)],
    )


def overall(words: Iterable[Word]) -> Word:
    """Skip if any is, ship if all are and there is one, else undecided."""
    found = set(words)
    if Word.SKIP in found:
        return Word.SKIP
    return Word.SHIP if found == {Word.SHIP} else Word.UNDECIDED


def _own(source: Source) -> list[Row]:
    return source.report.own


def _unasked(rows: Sequence[Row], limits: Limits) -> list[str]:
    asked = dict.fromkeys((row.workload, row.device) for row in rows if not limits_of(row, limits))
    return [f"no limit speaks of {workload} on device {device}" for workload, device in asked]


def _of_source(source: Source, limits: Limits) -> list[Judgement]:
    asked = [(row, limits_of(row, limits)) for row in _own(source)]
    found = [_judgement(row, mine, source) for row, mine in asked if mine]
    return [_with_others(judgement, found) for judgement in found]


def _judgement(row: Row, limits: Sequence[Limit], source: Source) -> Judgement:
    asked = workload_of(source.report, row)
    judged = [judge(limit, row, source.study) for limit in limits] if row.failure is None else []
    said = _failed(row.failure) if row.failure is not None else _measured(judged, row, source)
    return Judgement(
        source=source.name,
        row=row.id,
        device=row.device,
        device_name=source.report.device.label,
        build=row.build,
        engine=row.engine,
        settings={name: row.settings[name] for name in source.report.varying if name in row.settings},
        workload=row.workload,
        prompt_tokens=asked.prompt_tokens,
        output_tokens=asked.output_tokens,
        word=said.word,
        judged=judged,
        why=said.why,
        turn=said.turn,
        basis=row.basis,
    )


class _Said(msgspec.Struct, frozen=True):
    word: Word
    why: str
    turn: list[str]


def _failed(failure: Failure) -> _Said:
    word = Word.SKIP if failure.kind in OF_THE_MODEL else Word.UNDECIDED
    return _Said(word, failed_as(failure), [_INSTEAD[failure.kind]])


def _measured(judged: Sequence[Judged], row: Row, source: Source) -> _Said:
    """The word of a row that has figures. A notice may stand against it."""
    if source.run is not None and source.run.ended is None:
        return _Said(Word.UNDECIDED, UNFINISHED, ["go on with it by edgeprof run --resume, or run it again"])
    word = overall(one.word for one in judged)
    doubt = _doubt(word, judged, row)
    if doubt is not None:
        advice = (NO_SHIP | NO_SHIP_BY_PSS | NO_SKIP)[doubt.code]
        return _Said(Word.UNDECIDED, f"the limits say {word.value}, but {doubt.seen}", [advice])
    if word is Word.SHIP:
        return _Said(word, "every limit is kept", [])
    telling = [one for one in judged if one.word is word]
    named = ", ".join(one.limit for one in telling)
    if word is Word.SKIP:
        turn = [text for one in telling for text in turning.turns(one, row, source.report)]
        return _Said(word, f"broken: {named}", turn)
    return _Said(word, f"not decided: {named}", [deciding.advice(one, row, source.study) for one in telling])


def _doubt(word: Word, judged: Sequence[Judged], row: Row) -> Notice | None:
    """The notice that stands against a word. Memory that is too much was not taken by others."""
    against: Mapping[str, str] = {}
    if word is Word.SHIP:
        by_pss = any(one.metric == "pss_bytes" for one in judged)
        against = NO_SHIP | NO_SHIP_BY_PSS if by_pss else NO_SHIP
    elif word is Word.SKIP and all(kind(one.metric) in SPEEDS for one in judged if one.word is Word.SKIP):
        against = NO_SKIP
    return next((notice for notice in row.notices if notice.code in against), None)


def _with_others(judgement: Judgement, all_of_run: Sequence[Judgement]) -> Judgement:
    """A skip also names the rows of the same run and workload that ship."""
    ships = [
        f"{other.row} ({other.build}, {other.engine})"
        for other in all_of_run
        if other.word is Word.SHIP and other.workload == judgement.workload
    ]
    if judgement.word is not Word.SKIP or not ships:
        return judgement
    verb = "ships" if len(ships) == 1 else "ship"
    return replace(
        judgement, turn=[*judgement.turn, f"of the same run {', '.join(ships[:MOST_NAMED])} {verb}"]
    )
