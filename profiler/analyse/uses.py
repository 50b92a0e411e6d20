"""For each use and model the verdict: one row that ships is enough, and all rows have to fail for a skip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from profiler.analyse.of_models import Member, ModelRows
from profiler.analyse.shipping import Judgement, Verdicts, Word

_BEST = (Word.SHIP, Word.UNDECIDED, Word.SKIP)


class UseVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """One model under the limits of one use on one device. `row` of `source` is the one that decides it.

    `word` None: nothing was judged, and `why` says so. `judged_rows` is how many rows were.
    """

    use: str
    limits: str
    model: str
    device: str | None
    device_name: str | None
    word: Word | None
    why: str
    source: str | None
    row: str | None
    build: str | None
    judged_rows: int


def use_verdicts(models: Sequence[ModelRows], judged: Mapping[str, Verdicts]) -> list[UseVerdict]:
    """Every use with every model, on each device that was judged."""
    return [
        verdict
        for use, verdicts in judged.items()
        for model in models
        for verdict in _of_model(use, verdicts, model)
    ]


def _of_model(use: str, verdicts: Verdicts, model: ModelRows) -> list[UseVerdict]:
    rows = {(member.source.name, member.row.id): member for member in model.members}
    machines: dict[str, list[tuple[Judgement, Member]]] = {}
    for judgement in verdicts.judgements:
        member = rows.get((judgement.source, judgement.row))
        if member is not None:
            machines.setdefault(member.machine, []).append((judgement, member))
    if not machines:
        return [_absent(use, verdicts, model)]
    return [_on_device(use, verdicts, model, found) for found in machines.values()]


def _on_device(
    use: str, verdicts: Verdicts, model: ModelRows, found: Sequence[tuple[Judgement, Member]]
) -> UseVerdict:
    best, member = min(found, key=lambda one: _BEST.index(one[0].word))
    picked = best.word is Word.SHIP and len(found) > 1
    why = best.why if best.basis == "measured" else f"{best.why} (by {best.basis} figures, not measured here)"
    return UseVerdict(
        use=use,
        limits=verdicts.limits,
        model=model.name,
        device=member.row.device,
        device_name=member.machine,
        word=best.word,
        why=f"{why}; it is the best of {len(found)} rows: confirm it in a fresh run" if picked else why,
        source=best.source,
        row=best.row,
        build=best.build,
        judged_rows=len(found),
    )


def _absent(use: str, verdicts: Verdicts, model: ModelRows) -> UseVerdict:
    return UseVerdict(
        use=use,
        limits=verdicts.limits,
        model=model.name,
        device=None,
        device_name=None,
        word=None,
        why="no row of this model was measured on a workload and a device that the limits speak of",
        source=None,
        row=None,
        build=None,
        judged_rows=0,
    )
