"""Reading a review: strictly, and with one sentence for what contradicts itself."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from profiler.catalogue.strict_toml import read_toml
from profiler.documents.review import Review
from profiler.errors import UserError

MOST = {"model": 4, "quote": 12, "match": 20, "use": 8, "device": 50}
"""How many of a kind a page can show."""


def read_review(path: Path) -> Review:
    """The review in the file at `path`. Raises `UserError` in one sentence, naming the key, for what is wrong in it."""
    review = read_toml(path, Review)
    wrong = _too_many(review) or _wrong_votes(review) or _said_twice(review)
    if wrong:
        raise UserError(f"{path}: {wrong}")
    return review


def _too_many(review: Review) -> str | None:
    counts = [("model", "model", len(review.models)), ("use", "use", len(review.uses))]
    for place, model in enumerate(review.models):
        counts += [(f"model[{place}].quote", "quote", len(model.quotes))]
        counts += [(f"model[{place}].match", "match", len(model.match))]
    if review.cost:
        counts += [("cost.device", "device", len(review.cost.devices))]
    for key, kind, count in counts:
        if count > MOST[kind]:
            return f"{key} is there {count} times, accepted: up to {MOST[kind]}; leave some out"
    return None


def _wrong_votes(review: Review) -> str | None:
    for place, model in enumerate(review.models):
        key = f"model[{place}]"
        if (model.ship_votes is None) is not (model.panel is None):
            missing = "panel" if model.panel is None else "ship_votes"
            return f"{key}.{missing} is missing, accepted: ship_votes and panel together; add it"
        if model.ship_votes is not None and model.panel is not None and model.ship_votes > model.panel:
            return (
                f"{key}.ship_votes is {model.ship_votes}, more than the panel of {model.panel}; correct one"
            )
    return None


def _said_twice(review: Review) -> str | None:
    """Names that would make two columns or two rows of a page look the same, and words that two models claim."""
    of_models = [(f"model[{place}].name", model.name) for place, model in enumerate(review.models)]
    of_uses = [(f"use[{place}].name", use.name) for place, use in enumerate(review.uses)]
    words = [
        (f"model[{place}].match", word)
        for place, model in enumerate(review.models)
        for word in dict.fromkeys(word.casefold() for word in model.words)
    ]
    return _twice(of_models) or _twice(of_uses) or _twice(words)


def _twice(named: Iterable[tuple[str, str]]) -> str | None:
    first: dict[str, str] = {}
    for key, name in named:
        if name.casefold() in first:
            return f"{key} is {name!a}, as is {first[name.casefold()]}; rename or remove one"
        first[name.casefold()] = key
    return None
