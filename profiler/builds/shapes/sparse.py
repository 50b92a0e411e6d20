"""A GGUF file with the header of a real build and a hole for its data: what an engine needs to plan its memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from profiler.builds.shapes.blueprint import Blueprint, blueprint
from profiler.builds.shapes.header import Tensor
from profiler.builds.shapes.mixes import MIXES, mix_named, mixed_in_each, sparse_file
from profiler.catalogue.models import Shape


@contextmanager
def sparse_build(shape: Shape, name: str, quantization: str) -> Iterator[Path]:
    """A sparse file of this shape, all its layers, in a mix that llama.cpp writes ("Q4_K_M", "Q8_0", ...).

    It lies in a folder of its own and is gone when the block ends. Reading its data gives zeros; it must never be
    loaded for real. Raises `UserError` for an architecture or a mix that is not known.
    """
    with sparse_builds(shape, name, [quantization]) as paths:
        yield paths[0]


@contextmanager
def sparse_builds(shape: Shape, name: str, quantizations: Sequence[str]) -> Iterator[list[Path]]:
    """The same in several mixes, one file for each, in their order."""
    mixes = list(map(mix_named, quantizations))
    plan = blueprint(shape, name)
    answers = mixed_in_each(plan, name, mixes)
    with tempfile.TemporaryDirectory(prefix="edgeprof-") as folder:
        yield [_written(Path(folder) / f"{mix}.gguf", plan, mix, answers[mix]) for mix in mixes]


def _written(path: Path, plan: Blueprint, mix: str, tensors: Sequence[Tensor]) -> Path:
    stated = plan.metadata | {"general.file_type": MIXES[mix], "general.quantization_version": 2}
    sparse_file(path, msgspec.structs.replace(plan, metadata=stated), tensors)
    return path
