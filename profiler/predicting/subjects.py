"""What is predicted: a model of the catalogue in a mix, as a sparse file, or a file or folder that is there."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from profiler.builds.describe import GgufModel, describe
from profiler.builds.gguf import GgufHeader, read_header
from profiler.builds.identify import Found, identify
from profiler.builds.model_file import BadModelFile
from profiler.builds.onnx_folder import OnnxModel
from profiler.builds.shapes.sparse import sparse_builds
from profiler.catalogue.models import ModelProfile
from profiler.errors import UserError, nearest


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """A build to predict. `header` is that of a GGUF file, real or sparse; `found` what another folder is.

    `reference` is True for a sparse file: it has the shape of a model of the catalogue and none of its weights.
    """

    model: str
    build: str
    path: Path
    quantization: str | None
    context_length: int | None
    header: GgufHeader | None = None
    gguf: GgufModel | None = None
    found: Found | None = None
    reference: bool = False


def is_path(word: str) -> bool:
    """Whether this is a path: something is there, or it is spelt as only paths are."""
    return os.path.lexists(word) or os.sep in word or word.lower().endswith((".gguf", ".onnx", ".json"))


def of_path(word: str) -> Subject:
    """The build at a path. Raises `UserError` for what is no model."""
    (found,) = identify([word])
    build = found.build
    if isinstance(found.model, OnnxModel):
        return Subject(
            model=build.name,
            build=build.id,
            path=found.path,
            quantization=build.quantization,
            context_length=build.context_length,
            found=found,
        )
    if build.format != "gguf":
        raise UserError(
            f"{build.name} is {build.format}, of which nothing is predicted: give a GGUF file or an ONNX folder"
        )
    return _of_gguf(found.path, build.name, build.id, build.quantization)


@contextmanager
def of_model(model: ModelProfile, mix: str | None) -> Iterator[Subject]:
    """A model of the catalogue in this mix, or in the one of its reference figures. The file is gone afterwards.

    Raises `UserError` for a mix that is not known.
    """
    chosen = mix or model.shape.usual_mix
    with in_mixes(model, [chosen]) as made:
        yield made[0]


@contextmanager
def in_mixes(model: ModelProfile, mixes: Sequence[str]) -> Iterator[list[Subject]]:
    """The same in several mixes."""
    with sparse_builds(model.shape, model.name, mixes) as paths:
        made = [_of_gguf(path, model.id, f"{model.id}-{path.stem}", path.stem) for path in paths]
        yield [msgspec.structs.replace(one, reference=True) for one in made]


def _of_gguf(path: Path, model: str, build: str, quantization: str | None) -> Subject:
    try:
        header = read_header(path)
        gguf = describe(header)
    except OSError as error:
        raise BadModelFile(f"{build}: cannot be read ({error.strerror}).") from None
    return Subject(
        model=model,
        build=build,
        path=path,
        quantization=quantization,
        context_length=gguf.context_length,
        header=header,
        gguf=gguf,
    )


def called(word: str, models: Mapping[str, ModelProfile]) -> ModelProfile:
    """The model of this id. Raises `UserError` with the nearest ids of models and builds."""
    if word in models:
        return models[word]
    builds = [build.id for model in models.values() for build in model.builds]
    raise UserError(
        f"{word!r} is no model, no known build and no file; {nearest(word, [*models, *builds])}; "
        "`edgeprof models` lists all"
    )


def contexts_of(subject: Subject, asked: Sequence[int] | None, usual: Sequence[int]) -> list[int]:
    """The contexts asked for, or the usual ones, as far as the model goes.

    Raises `UserError` for one that is longer than the model's.
    """
    most = subject.context_length
    if asked is None:
        return [context for context in usual if most is None or context <= most] or [most or min(usual)]
    for context in asked:
        if most is not None and context > most:
            raise UserError(
                f"context {context} is longer than the {most} tokens that {subject.build} was made for: "
                f"up to {most} is accepted"
            )
    return list(dict.fromkeys(asked))
