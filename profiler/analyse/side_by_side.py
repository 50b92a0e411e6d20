"""Models beside each other as a value: what a review page shows of each, and nothing that it has to compute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from profiler.analyse.break_even import BreakEven, break_even
from profiler.analyse.cost import Price, Spending, Terms, price, spending, terms
from profiler.analyse.fits import Fit, fits
from profiler.analyse.known import Known
from profiler.analyse.latency_tables import LatencyTable, latency_tables
from profiler.analyse.licences import NO_SUMMARY, RESTRICTIONS, SUMMARY
from profiler.analyse.machines import machines_of
from profiler.analyse.of_models import ModelRows, of_models
from profiler.analyse.panel import Panel, panel
from profiler.analyse.shipping import Verdicts
from profiler.analyse.source import Source
from profiler.analyse.uses import UseVerdict, use_verdicts
from profiler.documents.review import Costs, Hosted, Quote, Review

SCHEMA = "edgeprof.side_by_side/1"


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A fact and where it was read; without a value the reason why there is none."""

    value: str | None
    source: str | None = None
    reason: str | None = None


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """Parameters, of them those that a token takes part in where that is known, and where both were read."""

    parameters: int | None
    active: int | None = None
    source: str | None = None


class ModelCard(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of one model. `catalogue` is the id of the catalogue's model, `recognised` how it was found."""

    name: str
    builds: list[str]
    catalogue: str | None
    recognised: str | None
    parameters: Count
    licence: Told
    restrictions: Told
    panel: Panel | None
    quotes: list[Quote]
    fits: list[Fit]


class RowCost(msgspec.Struct, frozen=True, kw_only=True):
    """What a row's tokens cost, with the terms and the power it rests on. `idle_w` None: idle power is left out."""

    model: str
    source: str
    row: str
    build: str
    device: str
    device_name: str
    workload: str
    basis: str
    terms: Terms
    power_from: str
    idle_w: float | None
    prompt: Price
    answer: Price
    hosted: Hosted | None
    break_even: BreakEven


class SourceFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file that figures were read from."""

    name: str
    run_id: str
    edgeprof: str
    device: str
    basis: list[str]


class SideBySide(msgspec.Struct, frozen=True, kw_only=True):
    """The whole page. `review` is the name of the review's file, `notes` what a reader is to know."""

    schema: str
    title: str
    question: str | None
    review: str | None
    models: list[ModelCard]
    uses: list[UseVerdict]
    latency: list[LatencyTable]
    costs: list[RowCost]
    sources: list[SourceFile]
    notes: list[str]


def side_by_side(
    sources: Sequence[Source],
    known: Known,
    review: Review | None = None,
    review_name: str | None = None,
    judged: Mapping[str, Verdicts] | None = None,
) -> SideBySide:
    """Two to four models. `judged` holds the verdicts on these sources by the name of the use.

    Raises `UserError` where the files hold fewer or more models, or the review names one that they do not hold.
    """
    models, notes = of_models(sources, review, known.models)
    costs = review.cost if review else None
    machines = machines_of([source.report.device for source in sources])
    return SideBySide(
        schema=SCHEMA,
        title=review.title if review else " and ".join(model.name for model in models),
        question=review.question if review else None,
        review=review_name,
        models=[_card(model, known, review_name) for model in models],
        uses=use_verdicts(models, judged or {}),
        latency=latency_tables(models),
        costs=_costs(models, costs) if costs else [],
        sources=[_source(source, machine) for source, machine in zip(sources, machines, strict=True)],
        notes=[*notes, *_notes(sources, costs)],
    )


def _card(model: ModelRows, known: Known, review_name: str | None) -> ModelCard:
    reviewed = model.reviewed
    votes = (reviewed.ship_votes, reviewed.panel) if reviewed else (None, None)
    licence = _licence(model, review_name)
    return ModelCard(
        name=model.name,
        builds=list(dict.fromkeys(member.build.name for member in model.members)),
        catalogue=model.known[0].id if model.known else None,
        recognised=model.known[1] if model.known else None,
        parameters=_parameters(model),
        licence=licence,
        restrictions=_restrictions(model, licence, review_name),
        panel=None if votes[0] is None or votes[1] is None else panel(votes[0], votes[1]),
        quotes=list(reviewed.quotes) if reviewed else [],
        fits=fits(model.members, known.devices),
    )


def _parameters(model: ModelRows) -> Count:
    """As the build's own file tells them, else as the catalogue does."""
    told = next((member for member in model.members if member.build.parameters), None)
    profile = model.known[0] if model.known else None
    active = profile.active_parameters if profile else None
    if told is not None:
        return Count(parameters=told.build.parameters, active=active, source=f"file {told.build.name}")
    if profile is not None:
        return Count(parameters=profile.parameters, active=active, source=f"catalogue: {profile.id}")
    return Count(parameters=None)


def _licence(model: ModelRows, review_name: str | None) -> Told:
    """The review's own word, else that of the catalogue's model, matched as `recognised` says."""
    if model.reviewed and model.reviewed.licence:
        return Told(value=model.reviewed.licence, source=f"review: {review_name}")
    if model.known is None:
        return Told(value=None, reason="the catalogue knows no such model, and no review gives a licence")
    profile, how = model.known
    if profile.licence is None:
        return Told(value=None, reason=f"the catalogue has no licence of {profile.id}")
    return Told(
        value=profile.licence, source=f"catalogue: {profile.id}, found {how}; {profile.licence_source}"
    )


def _restrictions(model: ModelRows, licence: Told, review_name: str | None) -> Told:
    if model.reviewed and model.reviewed.restrictions:
        return Told(value=model.reviewed.restrictions, source=f"review: {review_name}")
    if licence.value is None:
        return Told(value=None, reason="its licence is not known")
    summary = RESTRICTIONS.get(licence.value)
    return Told(value=summary, source=SUMMARY) if summary else Told(value=None, reason=NO_SUMMARY)


def _costs(models: Sequence[ModelRows], costs: Costs) -> list[RowCost]:
    """One for each row with figures."""
    return [
        _cost(model, place, spending(member.row, terms(costs, member.row.device)), costs)
        for model in models
        for place, member in enumerate(model.members)
        if member.row.metrics
    ]


def _cost(model: ModelRows, place: int, spent: Spending, costs: Costs) -> RowCost:
    member = model.members[place]
    mix = (member.workload.prompt_tokens, member.workload.output_tokens)
    hosted = (model.reviewed.hosted if model.reviewed else None) or costs.hosted
    return RowCost(
        model=model.name,
        source=member.source.name,
        row=member.row.id,
        build=member.row.build,
        device=member.row.device,
        device_name=member.machine,
        workload=member.row.workload,
        basis=member.row.basis,
        terms=spent.terms,
        power_from=spent.power_from.value,
        idle_w=spent.idle_w,
        prompt=price(spent, spent.prompt_tps, spent.prompt_j),
        answer=price(spent, spent.answer_tps, spent.answer_j),
        hosted=hosted,
        break_even=break_even(spent, mix, hosted),
    )


def _source(source: Source, machine: str) -> SourceFile:
    report = source.report
    return SourceFile(
        name=source.name,
        run_id=report.run_id,
        edgeprof=report.edgeprof,
        device=machine,
        basis=sorted({row.basis for row in report.rows}),
    )


def _notes(sources: Sequence[Source], costs: Costs | None) -> list[str]:
    """Costs of devices that no row is of."""
    devices = {row.device for source in sources for row in source.report.rows}
    unused = [] if costs is None else [device for device in costs.devices if device not in devices]
    return [f"cost.device.{device} of the review: no row is of that device" for device in unused]
