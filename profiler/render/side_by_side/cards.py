"""What stands on the card of each model."""

from __future__ import annotations

from profiler.analyse.fits import PLANNED_LABEL, SYSTEM_SHARE, Fit
from profiler.analyse.panel import Panel
from profiler.analyse.plural import plural
from profiler.analyse.side_by_side import Count, ModelCard, SideBySide, Told
from profiler.analyse.uses import UseVerdict
from profiler.documents.review import Quote
from profiler.render import format as fmt
from profiler.render.side_by_side.view import Card, Fact, Said, Verdict, Votes

MOST_DEVICES = 4
SPARSE = 0.95
"""Of its parameters a token takes part in fewer than this share: then both counts are told."""

NOT_JUDGED = "not judged"


def cards(found: SideBySide) -> list[Card]:
    """One for each model, in their order."""
    several = len({use.device_name for use in found.uses if use.device_name}) > 1
    return [
        _card(model, [_verdict(use, several=several) for use in found.uses if use.model == model.name])
        for model in found.models
    ]


def _card(model: ModelCard, verdicts: list[Verdict]) -> Card:
    facts = [
        _parameters(model.parameters),
        _told("Licence", model.licence),
        _told("Restrictions", model.restrictions),
        *(_fit(fit, first=place == 0) for place, fit in enumerate(model.fits)),
    ]
    return Card(
        name=fmt.plain(model.name),
        builds=fmt.plain(", ".join(model.builds)),
        votes=_votes(model.panel) if model.panel else None,
        facts=[Fact(fact.label, fmt.plain(fact.text), fmt.plain(fact.detail)) for fact in facts],
        verdicts=verdicts,
        quotes=[_quote(quote) for quote in model.quotes],
    )


def _votes(panel: Panel) -> Votes:
    low, high = fmt.percent(panel.low), fmt.percent(panel.high)
    small = f"a panel of {panel.votes} is small: " if panel.small else ""
    return Votes(
        percent=fmt.percent(panel.share),
        text=f"{panel.ship_votes} of {plural(panel.votes, 'reviewer')} would ship it",
        interval=f"{small}as a sample it says {low} to {high} (95%, Wilson)",
        share=round(100 * panel.share, 1),
        low=round(100 * panel.low, 1),
        high=round(100 * panel.high, 1),
    )


def parameters(count: int) -> str:
    """135 M, 1.24 B."""
    return f"{fmt.number(count / 1e9)} B" if count >= 999.5e6 else f"{fmt.number(count / 1e6)} M"


def _parameters(told: Count) -> Fact:
    if told.parameters is None:
        return Fact("Parameters", "not known", "neither the builds nor the catalogue tell")
    sparse = told.active is not None and told.active < SPARSE * told.parameters
    active = f", {parameters(told.active)} active for a token" if sparse and told.active else ""
    return Fact("Parameters", parameters(told.parameters) + active, f"{told.parameters:,}; {told.source}")


def _told(label: str, told: Told) -> Fact:
    if told.value is None:
        return Fact(label, "not known", told.reason or "")
    return Fact(label, told.value, told.source or "")


def fit_name(fit: Fit) -> str:
    """Q4_0, 4,096 tokens of context."""
    context = f"{fit.context:,} tokens of context" if fit.context is not None else "context not known"
    return f"{fit.quantization or 'quantization not known'}, {context}"


def _fit(fit: Fit, *, first: bool) -> Fact:
    """The first is the answer; others are of larger builds or contexts."""
    label = "Smallest device it fits" if first else "and with more memory"
    basis = f"{fit.engine}, {fit.source} {fit.row}"
    if not fit.devices or fit.room_bytes is None:
        return Fact(label, f"not known as {fit_name(fit)}", f"{fit.reason}; {basis}")
    size = fit.devices[0].memory_bytes
    text = f"{_devices(fit)} ({fmt.size(size)}) as {fit_name(fit)}"
    room = f"{fmt.size(fit.room_bytes)} after {fmt.percent(SYSTEM_SHARE)} for the system"
    return Fact(
        label,
        text,
        f"{fit.basis}, memory only, of each device the size in the catalogue: {_needed(fit)}, "
        f"room is {room}; {basis}",
    )


def _needed(fit: Fit) -> str:
    if fit.memory_bytes is None:
        return ""
    needs = fmt.size(fit.memory_bytes)
    return (
        f"{needs} {fit.metric}"
        if fit.metric == PLANNED_LABEL
        else f"took {needs} {fit.metric} where it was measured"
    )


def _devices(fit: Fit) -> str:
    names = [device.name for device in fit.devices[:MOST_DEVICES]]
    more = len(fit.devices) - len(names)
    return ", ".join(names) + (f" and {more} more" if more > 0 else "")


def _verdict(use: UseVerdict, *, several: bool) -> Verdict:
    device = f"on {use.device_name}" if several and use.device_name else ""
    basis = f"limits {use.limits}"
    if use.row is not None:
        rows = plural(use.judged_rows, "row")
        basis += f"; rests on {use.build} ({use.source} {use.row}), {rows} judged"
    return Verdict(
        use=fmt.plain(use.use),
        device=fmt.plain(device),
        shown=use.word.value if use.word else NOT_JUDGED,
        word=use.word.value if use.word else "",
        why=fmt.plain(use.why),
        basis=fmt.plain(basis),
    )


def _quote(quote: Quote) -> Said:
    by = ", ".join(part for part in (quote.author, quote.role) if part)
    return Said(text=fmt.plain(quote.text), by=fmt.plain(by), word=quote.verdict or "")
