"""A GGUF file with the header of a real build and a hole for its data: what an engine needs to plan its memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from profiler.builds.shapes.blueprint import blueprint
from profiler.builds.shapes.mixes import MIXES, mix_named, mixed, write_sparse
from profiler.catalogue.models import Shape
from profiler.errors import UserError


@contextmanager
def sparse_build(shape: Shape, name: str, quantization: str) -> Iterator[Path]:
    """A sparse file of this shape, all its layers, in a mix that llama.cpp writes ("Q4_K_M", "Q8_0", ...).

    It lies in a folder of its own and is gone when the block ends. Reading its data gives zeros; it must never be
    loaded for real. Raises `UserError` for an architecture or a mix that is not known.
    """
    mix = mix_named(quantization)
    plan = blueprint(shape, name)
    tensors = mixed(plan, name, mix)
    stated = plan.metadata | {"general.file_type": MIXES[mix], "general.quantization_version": 2}
    with tempfile.TemporaryDirectory(prefix="edgeprof-") as folder:
        path = Path(folder) / f"{mix}.gguf"
        try:
            write_sparse(path, msgspec.structs.replace(plan, metadata=stated), tensors)
        except OSError as error:
            raise UserError(
                f"{folder} takes no file of this size ({error.strerror}): set TMPDIR to another disk"
            ) from None
        yield path
