"""`edgeprof run --as-shape`: words that are models stand for shapes of them, which are there while the run lasts."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from profiler.cli.asked import Asked
from profiler.cli.values import several
from profiler.errors import UserError, nearest
from profiler.measure.layer_counts import Room
from profiler.measure.request import Request, refuse_with_shapes
from profiler.runfile import Extrapolation, Run, read_boards

if TYPE_CHECKING:
    from profiler.catalogue.models import ModelProfile
    from profiler.cli.shape_choice import Wish


@contextlib.contextmanager
def requested(asked: Asked, room: Room | None = None, board: str | None = None) -> Iterator[Request]:
    """The request behind the words; with --as-shape models are there as files of shapes while the block lasts.

    `room` is that of the board which measures them, `board` what it is called in a file of several.
    """
    if not asked.as_shape:
        of_shapes = {"--quant": asked.quant, "--layers": asked.layers, "--experts": asked.experts}
        typed = next((flag for flag, value in of_shapes.items() if value is not None), None)
        if typed is not None:
            raise UserError(f"{typed} says how shapes are made: add --as-shape, or leave it out")
        yield asked.request()
        return
    from profiler.cli.shape_files import shapes_of

    refuse_with_shapes(asked.request())
    models = models_among(asked.builds)
    _refuse_beyond_context(asked.request(), models.values())
    wishes = (
        dict.fromkeys(models, _wish(asked))
        if asked.resume is None
        else _again(read_boards(asked.resume), board, models)
    )
    with shapes_of(asked.builds, models, wishes, room) as (builds, shaped):
        yield replace(replace(asked, builds=builds).request(), shaped=shaped)


def _refuse_beyond_context(request: Request, models: Iterable[ModelProfile]) -> None:
    """A shape takes any number of tokens; its model does not."""
    from profiler.catalogue.workloads import parse

    asked = [parse(word, request.prompt, request.output_tokens) for word in request.workloads]
    tokens = {f"{one.id} takes": one.depth + one.prompt_tokens + one.output_tokens for one in asked}
    contexts = [word for word in request.settings.get("context", []) if word.isascii() and word.isdecimal()]
    tokens |= {f"--context {word} is": int(word) for word in contexts if len(word) < 19}
    for model in models:
        most = model.shape.context_tokens
        for what, count in tokens.items():
            if count > most:
                raise UserError(
                    f"{what} {count:,} tokens, and {model.id} was made for {most:,}: choose fewer"
                )


def _wish(asked: Asked) -> Wish:
    from profiler.cli.shape_choice import Wish

    return Wish(
        quantization=asked.quant,
        layers=None if asked.layers is None else _numbers(asked.layers),
        experts=asked.experts,
        force=asked.force,
        hollow=asked.dry_run,
    )


def _again(runs: Mapping[str, Run], board: str | None, models: Iterable[str]) -> dict[str, Wish]:
    """What gives the shapes of this board's run again, or of the first one."""
    run = runs.get(board or "", next(iter(runs.values())))
    earlier = {found.model: wish_of(found) for found in run.header.plan.extrapolations}
    missing = next((model for model in models if model not in earlier), None)
    if missing is not None:
        raise UserError(f"the run to resume did not measure {missing} as shapes: name the same builds again")
    return earlier


def _numbers(text: str) -> list[int]:
    words = several("--layers", text)
    if not all(word.isascii() and word.isdecimal() and len(word) < 5 for word in words):
        raise UserError(f"--layers {text[:40]!r}: whole numbers are accepted, such as 4,8")
    return [int(word) for word in words]


def models_among(words: Sequence[str]) -> dict[str, ModelProfile]:
    """The words that are ids of models. Raises `UserError` where none is, or one stands there twice."""
    from profiler.catalogue.models import load_models

    known = load_models()
    found = {word: known[word] for word in words if word in known and not Path(word).exists()}
    if not found:
        raise UserError(
            f"--as-shape measures models of the catalogue, and no word is the id of one: {nearest(words[0], known)}"
        )
    twice = next((word for word in found if list(words).count(word) > 1), None)
    if twice is not None:
        raise UserError(f"{twice} is named twice: once is enough")
    return found


def wish_of(earlier: Extrapolation) -> Wish:
    """What gives the shapes of an earlier run again: it was asked what is asked here."""
    from profiler.cli.shape_choice import Wish

    counts = [shape.layers for shape in earlier.shapes]
    return Wish(quantization=earlier.mix, layers=counts, experts=earlier.experts, force=True)
