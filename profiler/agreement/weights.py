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
from profiler.builds.onnx_direct.matrices import BIAS, FUSED, Part
from profiler.builds.onnx_direct.read_back import Stored
from profiler.builds.onnx_direct.shape import read_shape
from profiler.builds.onnx_direct.source import Source, opened, pairs_again
from profiler.builds.onnx_direct.tensors import Norm, stored_matrices, stored_norms
from profiler.builds.onnx_direct.write import GRAPH


class Weights(msgspec.Struct, frozen=True):
    """How many weights were compared, and how many have another float32 value."""

    compared: int
    unequal: int


def compare(path: Path, folder: Path) -> Weights:
    """The weights read back from `folder` beside those that the `gguf` package dequantizes from `path`."""
    header = read_header(path)
    architecture = architecture_of(header)
    shape = read_shape(header, architecture)
    source, stored = opened(path, header, _silent), Stored(folder, GRAPH)
    counts = [_norm(source, stored, norm) for norm in stored_norms(architecture, shape)]
    for matrices in stored_matrices(architecture, shape):
        first, together = 0, matrices.name + FUSED in stored
        for part in matrices.parts:
            name, start = (matrices.name + FUSED, first) if together else (part.tensor, 0)
            counts.append(_matrix(source, stored, name, part, matrices.columns, start))
            if part.bias in source.tensors:
                counts.append(_bias(source, stored, name, part, start))
            first += part.rows
    return Weights(sum(count for count, _ in counts), sum(wrong for _, wrong in counts))


def _silent(_what: str, _done: int, _total: int) -> None:
    """Nobody waits for this."""


def _norm(source: Source, stored: Stored, norm: Norm) -> tuple[int, int]:
    return _unequal(stored.vector(norm.name), source.vector(norm.tensor, norm.length))


def _bias(source: Source, stored: Stored, name: str, part: Part, first: int) -> tuple[int, int]:
    assert part.bias is not None
    found = stored.vector(name + BIAS)[first : first + part.rows]
    return _unequal(found, source.vector(part.bias, part.rows))


def _unequal(found: Floats, wanted: Floats) -> tuple[int, int]:
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
