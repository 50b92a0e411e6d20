"""A GGUF file with the header of a real build and a hole for its data: what an engine needs to plan its memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from profiler.catalogue.models import Shape
from profiler.errors import UserError


@contextmanager
def sparse_build(shape: Shape, name: str, quantization: str) -> Iterator[Path]:
    """A sparse file of this shape, all its layers, in a mix that llama.cpp writes ("Q4_K_M", "Q8_0", ...).

    It lies in a folder of its own and is gone when the block ends. Reading its data gives zeros; it must never be
    loaded for real. Raises `UserError` for an architecture or a mix that is not known.
    """
    raise UserError(f"{name}: shapes are not built yet")
    yield Path()
