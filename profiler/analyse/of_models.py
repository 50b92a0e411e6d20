"""Which model each row is of: a file may hold several models, and several files may belong to one."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from profiler.analyse.known import KnownModel, begins, model_of, plain_name, stem
from profiler.analyse.machines import machines_of
from profiler.analyse.report import Row, build_of, workload_of
from profiler.analyse.source import Source
from profiler.documents.review import Review, ReviewedModel
from profiler.errors import UserError
from profiler.runfile import Build, Workload

FEWEST, MOST = 2, 4
"""How many models a page can set beside each other."""

MOST_NAMED = 6


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """One row, the file it is of, its build and workload, and what its machine is called among those of all files."""

    source: Source
    row: Row
    build: Build
    workload: Workload
    machine: str


class ModelRows(msgspec.Struct, frozen=True, kw_only=True):
    """The rows of one model. `known` is the catalogue's model and how it was recognised."""

    name: str
    members: list[Member]
    reviewed: ReviewedModel | None
    known: tuple[KnownModel, str] | None


def of_models(
    sources: Sequence[Source], review: Review | None, models: Sequence[KnownModel]
) -> tuple[list[ModelRows], list[str]]:
    """Two to four models in the order of the review, or of their first rows; and the builds left out, in sentences.

    Raises `UserError` where there are fewer or more, or where no build is of a reviewed model.
    """
    machines = machines_of([source.report.device for source in sources])
    members = [
        Member(
            source=source,
            row=row,
            build=build_of(source.report, row),
            workload=workload_of(source.report, row),
            machine=machine,
        )
        for source, machine in zip(sources, machines, strict=True)
        for row in source.report.own
    ]
    found, left_out = _reviewed(members, review, models) if review else (_by_name(members, models), [])
    if not FEWEST <= len(found) <= MOST:
        names = ", ".join(ascii(one.name) for one in found[:MOST_NAMED])
        raise UserError(
            f"--side-by-side takes {FEWEST} to {MOST} models and found {len(found)} ({names}): give runs of that many, "
            "or a review (--review FILE) whose [[model]] tables say which builds belong together"
        )
    return found, left_out


def _known(member: Member, models: Sequence[KnownModel]) -> tuple[KnownModel, str] | None:
    return model_of(member.build, member.source.report.sha256.get(member.build.id), models)


def _by_name(members: Sequence[Member], models: Sequence[KnownModel]) -> list[ModelRows]:
    """Builds of one model differ in no more than suffix, format and quantization."""
    grouped: dict[str, list[Member]] = {}
    for member in members:
        grouped.setdefault(plain_name(stem(member.build)) or member.build.name, []).append(member)
    return [
        ModelRows(name=stem(mine[0].build), members=mine, reviewed=None, known=_first_known(mine, models))
        for mine in grouped.values()
    ]


def _reviewed(
    members: Sequence[Member], review: Review, models: Sequence[KnownModel]
) -> tuple[list[ModelRows], list[str]]:
    """Each row goes to the model with the longest word that fits it."""
    claimed: dict[str, list[Member]] = {model.name: [] for model in review.models}
    left_out: dict[str, None] = {}
    for member in members:
        model = _claims(member, review, models)
        if model is None:
            left_out[member.build.name] = None
        else:
            claimed[model.name].append(member)
    _refuse_unmatched(review, claimed, members)
    found = [
        ModelRows(
            name=model.name,
            members=claimed[model.name],
            reviewed=model,
            known=_first_known(claimed[model.name], models),
        )
        for model in review.models
    ]
    return found, [f"{name}: left out, no model of the review matches it" for name in left_out]


def _claims(member: Member, review: Review, models: Sequence[KnownModel]) -> ReviewedModel | None:
    known = _known(member, models)
    ids = {member.build.id.casefold(), *([known[0].id] if known else [])}
    fitting = [
        (len(plain_name(word)), place)
        for place, model in enumerate(review.models)
        for word in model.words
        if word.casefold() in ids or begins(member.build.name, word)
    ]
    longest = max(fitting, key=lambda fit: (fit[0], -fit[1]), default=None)
    return review.models[longest[1]] if longest else None


def _refuse_unmatched(review: Review, claimed: dict[str, list[Member]], members: Sequence[Member]) -> None:
    for place, model in enumerate(review.models):
        if not claimed[model.name]:
            builds = list(dict.fromkeys(ascii(member.build.name) for member in members))
            more = f" and {len(builds) - MOST_NAMED} more" if len(builds) > MOST_NAMED else ""
            raise UserError(
                f"the review's model[{place}] {model.name!a} matches no build of these files "
                f"({', '.join(builds[:MOST_NAMED])}{more}): set its match to the id or the beginning of the name of one"
            )


def _first_known(members: Sequence[Member], models: Sequence[KnownModel]) -> tuple[KnownModel, str] | None:
    return next((known for member in members if (known := _known(member, models))), None)
