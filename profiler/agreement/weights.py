"""Every weight of a written build against the file it was made from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import gguf
import msgspec
import numpy as np

from profiler.builds.gguf import read_header
from profiler.builds.onnx_direct.architectures import architecture_of
from profiler.builds.onnx_direct.blocks import Floats
from profiler.builds.onnx_direct.matrices import FUSED, Part
from profiler.builds.onnx_direct.read_back import Stored
from profiler.builds.onnx_direct.shape import read_shape
from profiler.builds.onnx_direct.source import Source, opened, pairs_again
from profiler.builds.onnx_direct.write import GRAPH


class Weights(msgspec.Struct, frozen=True):
    """How many weights were compared, and how many have another float32 value."""

    compared: int
    unequal: int


def compare(path: Path, folder: Path) -> Weights:
    """The weights read back from `folder` beside those that the `gguf` package dequantizes from `path`."""
    header = read_header(path)
    shape, source, stored = read_shape(header), opened(path, header, _silent), Stored(folder, GRAPH)
    architecture = architecture_of(header)
    counts = [_vector(source, stored, *names) for names in architecture.vectors(shape)]
    for fused, parts, columns in architecture.matrices(shape):
        first = 0
        for part in parts:
            together = fused + FUSED in stored
            name, start = (fused + FUSED, first) if together else (part.tensor, 0)
            counts.append(_matrix(source, stored, name, part, columns, start))
            first += part.rows
    return Weights(sum(count for count, _ in counts), sum(wrong for _, wrong in counts))


def _silent(_what: str, _done: int, _total: int) -> None:
    """Nobody waits for this."""


def _vector(source: Source, stored: Stored, gguf_name: str, name: str) -> tuple[int, int]:
    found = stored.vector(name)
    wanted = source.vector(gguf_name, found.size)
    return found.size, int(np.count_nonzero(found != wanted))


def _matrix(
    source: Source, stored: Stored, name: str, part: Part, columns: int, first: int
) -> tuple[int, int]:
    compared = unequal = 0
    for wanted in _dequantized(source, part, columns):
        last = first + wanted.shape[0]
        found = stored.rows(name, first, last)
        if part.heads is not None:
            found = pairs_again(found, part.rows // part.heads)
        compared += wanted.size
        unequal += int(np.count_nonzero(found != wanted))
        first = last
    return compared, unequal


def _dequantized(source: Source, part: Part, columns: int) -> Iterator[Floats]:
    """Chunks of whole heads where rows were moved, in the file's own order."""
    tensor = source.find(part.tensor, columns, part.rows)
    kind = gguf.GGMLQuantizationType[tensor.type_name]
    step = part.rows // part.heads if part.heads else 1
    for raw in source.rows(tensor, whole=step):
        yield gguf.quants.dequantize(raw, kind)
