"""Which models of the catalogue fit a target, in which mixes and contexts.

Mixes whose weights alone are more than the room are told so by arithmetic. Of the others llama.cpp says which types
their tensors have, and, once for each model, what buffers a context takes: that does not depend on the mix.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from msgspec.structs import replace

from profiler.analyse.amounts import size
from profiler.builds.shapes.mixes import mix_named
from profiler.catalogue.models import ModelProfile
from profiler.predicting.asked import Asked
from profiler.predicting.inspection import LLAMA_CPP, inspected
from profiler.predicting.limits import order_of
from profiler.predicting.predict import described, longest_prompt, of_inspected, settings_of
from profiler.predicting.prediction import Prediction
from profiler.predicting.subjects import Subject, in_mixes

LEAST_BITS = {
    "F16": 16.0,
    "Q8_0": 8.5,
    "Q6_K": 6.5625,
    "Q5_K_M": 5.5,
    "Q4_K_M": 4.5,
    "Q3_K_M": 3.4375,
    "Q2_K": 2.625,
}
"""The mixes that are tried, the nearest to the model first, and bits per weight of the smallest type in each."""

CONTEXTS = (4096, 8192, 32768)
_WORDS = {"fits": 0, "fits_with_mmap": 1, "unknown": 2, "does_not_fit": 3}

Progress = Callable[[int, int], None]
"""Called with how many models are done, and of how many."""


def search(
    models: Sequence[ModelProfile], mixes: Sequence[str] | None, asked: Asked, on_progress: Progress
) -> list[Prediction]:
    """Every model in every mix and context, the most useful first: what fits, then by the size of the model, the bits
    of the mix and the length of the context, each the larger the better."""
    found: list[Prediction] = []
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        answers = pool.map(lambda model: list(_of_model(model, mixes, asked)), models)
        for done, predictions in enumerate(answers, start=1):
            found += predictions
            on_progress(done, len(models))
    return sorted(found, key=_usefulness)


def _usefulness(one: Prediction) -> tuple[int, int, int, int, int]:
    """Smaller is more useful. Within a model the bytes of the weights order the mixes by bits."""
    weights = one.memory.weights_bytes if one.memory else one.fit.needed_bytes or 0
    return _WORDS[one.fit.word], order_of(one), -(one.parameters or 0), -weights, -one.context


def _of_model(model: ModelProfile, mixes: Sequence[str] | None, asked: Asked) -> Iterator[Prediction]:
    """In these mixes, or in the usual ones and that in which the model usually comes; in contexts that it takes."""
    most = model.shape.context_tokens
    if asked.contexts is not None:
        asked = replace(asked, contexts=[context for context in asked.contexts if context <= most])
        if not asked.contexts:
            return
    mixes = list(mixes or dict.fromkeys([*LEAST_BITS, mix_named(model.shape.usual_mix)]))
    tried = [mix for mix in mixes if not _too_large(model, mix, asked)]
    if tried:
        with in_mixes(model, tried) as made:
            yield from _asked_of_engine(made, asked)
    for mix in mixes:
        if mix not in tried:
            yield from _too_large_for(model, mix, asked)


def _asked_of_engine(made: Sequence[Subject], asked: Asked) -> Iterator[Prediction]:
    """One question of the engine for all mixes of a model: the contexts of the first, the places of all."""
    settings = [one for _, one in settings_of(made[0], asked)]
    headers = [subject.header for subject in made if subject.header is not None]
    found = inspected(made[0].path, settings, longest_prompt(asked, settings), headers)
    for place, subject in enumerate(made):
        if isinstance(found, str):
            yield from (described(subject, asked, LLAMA_CPP, one, None, found) for one in settings)
        else:
            yield from of_inspected(subject, asked, settings, found, place)


def _least_bytes(model: ModelProfile, mix: str) -> int:
    return int(model.shape.parameters * LEAST_BITS.get(mix, 0) / 8)


def _too_large(model: ModelProfile, mix: str, asked: Asked) -> bool:
    """Whether the weights alone, however the mix falls, are more than the room."""
    room = asked.room.room_bytes
    return room is not None and _least_bytes(model, mix) > room


def _too_large_for(model: ModelProfile, mix: str, asked: Asked) -> Iterator[Prediction]:
    subject = Subject(
        model=model.id,
        build=f"{model.id}-{mix}",
        path=Path(),
        quantization=mix,
        context_length=model.shape.context_tokens,
    )
    least = _least_bytes(model, mix)
    why = (
        f"its weights alone are {size(least)} at least, which do not stay in memory: "
        "predict it by its name to see whether it would run from the disk"
    )
    for engine, settings in settings_of(subject, asked):
        one = described(subject, asked, engine, settings, None, why)
        no = replace(one.fit, word="does_not_fit", needed_bytes=least)
        yield replace(one, fit=no, parameters=model.shape.parameters)
